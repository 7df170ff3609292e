// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that is needed no more goes back to the system.
 *
 * What the start alone needed. Resolving symbols and loading providers and converters maps most of
 * the libraries' pages, and each fault maps sixteen at once; who then waits for work would hold
 * them for ever. Their mappings are given up: what is needed again is one soft fault away.
 */
#include "process/os.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Code and constants of one object. What can be written, relocations' results among it, is in
 * segments of its own and stays. Best effort: the kernel's own object refuses. */
static int give_back(struct dl_phdr_info *object, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)size;
	(void)arg;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		uintptr_t from = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = (object->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);
		if (to > from)
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void os_started(void)
{
	/* Small pieces that were freed are kept aside for reuse (that is malloc's other way to do
	 * it, besides its threads' own caches), and looked through for each piece above 1 KiB: some
	 * per cent of all CPU under load. */
	mallopt(M_MXFAST, 0);
	dl_iterate_phdr(give_back, NULL);
	malloc_trim(0);
}

/* glibc gives back by itself what is free at the heap's end. What lies between things that stay it
 * keeps for ever, once it has come to take large blocks from the heap as well: a front that sorted
 * large mailboxes for a while kept hundreds of MiB. */
void os_trim(void)
{
	enum { MORE_BYTES = 16 * 1024 * 1024 };
	static size_t least; /* free bytes there were when it was last looked at: those stay free */
	size_t now = mallinfo2().fordblks;
	if (now > least + MORE_BYTES)
		malloc_trim(0);
	else if (now > least)
		return; /* so that many small pieces count as well */
	least = now;
}
