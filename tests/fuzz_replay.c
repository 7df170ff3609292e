// SPDX-License-Identifier: Apache-2.0
/* Runs a fuzz target over the files of the folders given, and over a few made inputs, so that every
 * ordinary build exercises it. Prints how many inputs ran. */
#include "base/fuzz.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return 0;
	size_t n = 0, cap = 1 << 16;
	uint8_t *p = xmalloc(cap);
	for (size_t got; (got = fread(p + n, 1, cap - n, f)) > 0;) {
		n += got;
		if (n == cap)
			p = xrealloc(p, cap *= 2);
	}
	fclose(f);
	/* An exact copy, so that a read beyond the end is a read beyond an allocation. */
	uint8_t *exact = xmalloc(n);
	memcpy(exact, p, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	free(p);
	return 1;
}

static int run_folder(const char *folder)
{
	DIR *d = opendir(folder);
	if (d == NULL)
		return 0;
	int n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n += run_file(path);
	}
	closedir(d);
	return n;
}

/* Short inputs of one repeated byte, and every single byte. */
static int run_made(void)
{
	int n = 1;
	uint8_t bytes[64] = { 0 };
	LLVMFuzzerTestOneInput(bytes, 0);
	for (int c = 0; c < 256; c++, n += 2) {
		memset(bytes, c, sizeof(bytes));
		LLVMFuzzerTestOneInput(bytes, 1);
		LLVMFuzzerTestOneInput(bytes, sizeof(bytes));
	}
	return n;
}

int main(int argc, char **argv)
{
	int n = run_made();
	for (int i = 1; i < argc; i++)
		n += run_folder(argv[i]);
	printf("%d inputs\n", n);
	return 0;
}
