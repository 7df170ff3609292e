/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4): the checksum of everything in segments. It finds
 * every burst of up to 32 bits and any change with 1 - 2^-32; it is no defence against somebody who
 * can write the files. Chosen because processors compute it at several GB/s; SHA-256 of the whole
 * body stands beside it in the record.
 */
#ifndef CULVER_STORE_CRC32C_H
#define CULVER_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, which is 0 at the start. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same without the processor's help; for machines that have none, and for the test. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
