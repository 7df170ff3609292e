// SPDX-License-Identifier: Apache-2.0
/*
 * Runs by seed (docs/simulation.md): one, many, or those that a file keeps. Each is a forked child,
 * so that one that crashes or leaks ends nobody else. The exit status is 0 when all were well.
 */
#include "sim.h"

#include <getopt.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
enum { RUN_SECONDS = 100 };
#else
enum { RUN_SECONDS = 10 };
#endif
enum { MOST_JOBS = 16, MOST_CLIENTS = 64 };

struct job {
	pid_t pid;
	struct sim_options o;
	struct sim_report *report; /* shared with the child */
};

struct totals {
	uint64_t runs, failed, planted, steps, simulated_ms, acknowledged, seen, operations;
	uint64_t backups, reclaimed, undeleted, upgrades, imports, imported;
	uint64_t struck[FAULT_KINDS], hits[HIT_KINDS], outcomes[OUTCOME_KINDS];
};

static const char *const outcomes[OUTCOME_KINDS] = {
#define X(name, text) text,
	OUTCOMES(X)
#undef X
};

static const char *const hits[HIT_KINDS] = {
#define X(name, count) name,
	HITS(X)
#undef X
};

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sim_report *shared_report(void)
{
	void *p = mmap(NULL, sizeof(struct sim_report), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

static void start(struct job *j, const struct sim_options *o)
{
	j->o = *o;
	if (j->report == NULL)
		j->report = shared_report();
	memset(j->report, 0, sizeof(*j->report));
	fflush(NULL);
	j->pid = fork();
	if (j->pid != 0)
		return;
	/* Of this run's own time, however busy the machine is: more is a loop that spins. */
	struct rlimit most = { RUN_SECONDS, RUN_SECONDS };
	setrlimit(RLIMIT_CPU, &most);
	setvbuf(stdout, NULL, _IOLBF, 0);
	sim_run(o, j->report);
	fflush(NULL);
	_exit(0);
}

static void print_options(const struct sim_options *o)
{
	printf("--seed %llu --clients %u --rounds %u --ms %lld --faults ",
		(unsigned long long)o->seed, o->clients, o->rounds, (long long)o->round_ms);
	const char *comma = "";
	for (int i = 0; i < FAULT_KINDS; i++)
		if (o->faults & 1U << i) {
			printf("%s%s", comma, fault_rows[i].word);
			comma = ",";
		}
	printf("%s%s%s\n", *comma ? "" : "none", o->planted ? " --planted " : "",
		o->planted ? o->planted : "");
}

/* Whether the run was well. */
static bool finish(struct job *j, int status)
{
	if (status == 0 && j->report->finished)
		return true;
	if (j->report->failure[0] == 0)
		snprintf(j->report->failure, sizeof(j->report->failure),
			WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

static bool run_one(const struct sim_options *o, struct job *j)
{
	int status;
	start(j, o);
	waitpid(j->pid, &status, 0);
	return finish(j, status);
}

/* ---- shrinking: as long as it fails in the same way, with less ---- */

/* Whatever is left out changes all that is drawn behind it: so with some other seeds, too. */
enum { SHRINK_SEEDS = 20 };

static bool same_failure(const struct sim_report *a, const struct sim_report *b)
{
	return a->why == b->why && (a->why || strcmp(a->failure, b->failure) == 0);
}

static bool still_fails(
	struct sim_options *o, struct sim_options less, const struct sim_report *failed)
{
	static struct job j;
	for (int i = 0; i < SHRINK_SEEDS; i++, less.seed++) {
		if (run_one(&less, &j) || !same_failure(j.report, failed))
			continue;
		*o = less;
		return true;
	}
	return false;
}

static bool without_faults(struct sim_options *o, const struct sim_report *failed)
{
	struct sim_options less = *o;
	bool any = false;
	if (o->faults == 0)
		return false;
	less.faults = 0;
	if (still_fails(o, less, failed))
		return true;
	for (int i = 0; i < FAULT_KINDS; i++) {
		less = *o;
		less.faults &= ~(1U << i);
		any |= less.faults != o->faults && still_fails(o, less, failed);
	}
	return any;
}

static bool with_fewer_rounds(struct sim_options *o, const struct sim_report *failed)
{
	struct sim_options less = *o;
	for (less.rounds = 1; less.rounds < o->rounds; less.rounds++)
		if (still_fails(o, less, failed))
			return true;
	return false;
}

static bool with_fewer_clients(struct sim_options *o, const struct sim_report *failed)
{
	struct sim_options less = *o;
	for (less.clients = 1; less.clients < o->clients; less.clients++)
		if (still_fails(o, less, failed))
			return true;
	return false;
}

static void shrink(struct sim_options *o, const struct sim_report *report)
{
	struct sim_report failed = *report;
	o->trace = false;
	while (with_fewer_rounds(o, &failed) || with_fewer_clients(o, &failed) ||
		without_faults(o, &failed))
		;
	for (struct sim_options less = *o; less.round_ms > 1000; less = *o) {
		less.round_ms /= 2;
		if (!still_fails(o, less, &failed))
			break;
	}
}

/* ---- many ---- */

static void add(struct totals *t, const struct sim_report *r, bool well)
{
	t->runs++;
	t->failed += !well;
	t->planted += r->planted;
	t->steps += r->steps;
	t->simulated_ms += (uint64_t)r->simulated_ms;
	t->acknowledged += r->acknowledged;
	t->seen += r->seen;
	t->operations += r->operations;
	t->backups += r->backups;
	t->reclaimed += r->reclaimed;
	t->undeleted += r->undeleted;
	t->upgrades += r->upgrades;
	t->imports += r->imports;
	t->imported += r->imported;
	for (int i = 0; i < FAULT_KINDS; i++)
		t->struck[i] += r->struck[i];
	for (int i = 0; i < HIT_KINDS; i++)
		t->hits[i] += r->hits[i];
	t->outcomes[r->outcome]++;
}

static void print_totals(const struct totals *t, double took)
{
	printf("%llu runs, %llu failed, %.0f s; %.0f s simulated (%.0f times real time), %llu "
	       "steps\n",
		(unsigned long long)t->runs, (unsigned long long)t->failed, took,
		(double)t->simulated_ms / 1e3, (double)t->simulated_ms / 1e3 / took,
		(unsigned long long)t->steps);
	printf("%llu backups held, %llu segments reclaimed, %llu messages put back, "
	       "%llu upgrades, %llu imports of %llu messages\n",
		(unsigned long long)t->backups, (unsigned long long)t->reclaimed,
		(unsigned long long)t->undeleted, (unsigned long long)t->upgrades,
		(unsigned long long)t->imports, (unsigned long long)t->imported);
	printf("%llu operations, %llu messages acknowledged, %llu read; struck:",
		(unsigned long long)t->operations, (unsigned long long)t->acknowledged,
		(unsigned long long)t->seen);
	for (int i = 0; i < FAULT_KINDS; i++)
		printf(" %s %llu", fault_rows[i].word, (unsigned long long)t->struck[i]);
	printf("\nin detail:");
	for (int i = 0; i < HIT_KINDS; i++)
		printf("%s %s %llu", i ? "," : "", hits[i], (unsigned long long)t->hits[i]);
	printf("\n");
	if (t->struck[FAULT_LEDGER] == 0)
		return;
	for (int i = OUTCOME_REFUSED; i < OUTCOME_KINDS; i++)
		printf("%s: %llu; ", outcomes[i], (unsigned long long)t->outcomes[i]);
	printf("\n");
}

static struct job *ended(struct job *jobs, pid_t pid)
{
	for (int i = 0; i < MOST_JOBS; i++)
		if (jobs[i].pid == pid)
			return &jobs[i];
	return NULL;
}

/* ---- options ---- */

static uint32_t faults_named(const char *list)
{
	uint32_t faults = 0;
	if (strcmp(list, "all") == 0)
		return FAULTS_ALL;
	struct str rest = str_from(list);
	while (rest.n) {
		struct str word = str_split(&rest, ',');
		int i = 0;
		while (i < FAULT_KINDS && !str_equal(word, str_from(fault_rows[i].word)))
			i++;
		if (i < FAULT_KINDS)
			faults |= 1U << i;
		else if (!str_equal(word, STR("none")))
			exit((fprintf(stderr, "culver-sim: no such fault: %.*s\n", (int)word.n,
				      word.p),
				2));
	}
	return faults;
}

enum { DEFAULT_CLIENTS = 9, DEFAULT_ROUNDS = 3, DEFAULT_MS = 20000 };
enum { MOST_ROUNDS = 1000, MOST_MS = 3600 * 1000 };

struct settings {
	struct sim_options o;
	uint64_t runs;
	int jobs;
	bool shrinks, first; /* first: no more after one that fails */
	const char *kept, *tally;
};

static const struct option long_options[] = { { "seed", 1, NULL, 's' }, { "runs", 1, NULL, 'r' },
	{ "clients", 1, NULL, 'c' }, { "rounds", 1, NULL, 'n' }, { "ms", 1, NULL, 'm' },
	{ "faults", 1, NULL, 'f' }, { "jobs", 1, NULL, 'j' }, { "planted", 1, NULL, 'p' },
	{ "kept", 1, NULL, 'K' }, { "tally", 1, NULL, 'T' }, { "trace", 0, NULL, 't' },
	{ "shrink", 0, NULL, 'k' }, { "first", 0, NULL, '1' }, { "help", 0, NULL, 'h' },
	{ NULL, 0, NULL, 0 } };

static _Noreturn void usage(FILE *to)
{
	fprintf(to,
		"usage: culver-sim [--seed N] [--runs N] [--clients N] [--rounds N] [--ms N]\n"
		"                  [--faults all|none|LIST] [--jobs N] [--planted NAME] [--trace]\n"
		"                  [--shrink] [--first] [--kept FILE] [--tally FILE] [--help]\n"
		"docs/simulation.md says what it does. Faults:\n");
	for (int i = 0; i < FAULT_KINDS; i++)
		fprintf(to, "  %-8s %s\n", fault_rows[i].word, fault_rows[i].text);
	exit(to == stdout ? 0 : 2);
}

static const struct number {
	int c;
	uint64_t least, most;
} numbers[] = { { 's', 0, INT64_MAX }, { 'r', 1, INT64_MAX }, { 'c', 1, MOST_CLIENTS },
	{ 'n', 1, MOST_ROUNDS }, { 'm', 1, MOST_MS }, { 'j', 1, MOST_JOBS } };

/* Of an option that has one; 0: of one that has none. */
static uint64_t number(int c, const char *text)
{
	const struct number *is = NULL;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].c == c)
			is = &numbers[i];
	if (is == NULL)
		return 0;
	struct scan s = scan_from(str_from(text));
	uint64_t n;
	if (scan_number(&s, is->most, &n) && scan_end(&s) && n >= is->least)
		return n;
	const struct option *o = long_options;
	while (o->val != c)
		o++;
	exit((fprintf(stderr, "culver-sim: --%s is a number from %llu to %llu, not %s\n", o->name,
		      (unsigned long long)is->least, (unsigned long long)is->most, text),
		2));
}

static void take(struct settings *s, int c, const char *value)
{
	uint64_t n = number(c, value);
	switch (c) {
	case 's':
		s->o.seed = n;
		break;
	case 'r':
		s->runs = n;
		break;
	case 'c':
		s->o.clients = (unsigned)n;
		break;
	case 'n':
		s->o.rounds = (unsigned)n;
		break;
	case 'm':
		s->o.round_ms = (int64_t)n;
		break;
	case 'f':
		s->o.faults = faults_named(value);
		break;
	case 'j':
		s->jobs = (int)n;
		break;
	case 'p':
		s->o.planted = value;
		break;
	case 'K':
		s->kept = value;
		break;
	case 'T':
		s->tally = value;
		break;
	case 't':
		s->o.trace = true;
		break;
	case '1':
		s->first = true;
		break;
	case 'k':
		s->shrinks = true;
		break;
	case 'h':
		usage(stdout);
	default:
		usage(stderr);
	}
}

static struct settings parse(int argc, char **argv)
{
	struct settings s = { .o = { .seed = 1,
				      .clients = DEFAULT_CLIENTS,
				      .rounds = DEFAULT_ROUNDS,
				      .round_ms = DEFAULT_MS,
				      .faults = faults_named("all") },
		.runs = 1,
		.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN) };
	int c;
	optind = 0; /* from the start, also the second time */
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take(&s, c, optarg);
	if (optind < argc)
		exit((fprintf(stderr, "culver-sim: what is %s? --help says what there is\n",
			      argv[optind]),
			2));
	if (s.jobs < 1 || s.jobs > MOST_JOBS)
		s.jobs = 1;
	return s;
}

static void tally(const char *path, uint64_t passed, uint64_t failed)
{
	FILE *f = path ? fopen(path, "a") : NULL;
	if (f == NULL) {
		if (path)
			perror(path);
		return;
	}
	fprintf(f, "%llu %llu 0\n", (unsigned long long)passed, (unsigned long long)failed);
	fclose(f);
}

/* A name that nobody knows finds nothing, and that must not look like all being well. */
static int came_by(const struct sim_options *o, bool planted, int status)
{
	if (o->planted == NULL || planted || status)
		return status;
	fprintf(stderr, "culver-sim: nothing came by a planted fault %s\n", o->planted);
	return 2;
}

static int one(const struct sim_options *o, const char *label)
{
	static struct job j;
	bool well = run_one(o, &j);
	printf("%shash %016llx, %llu steps, %lld ms simulated: %s\n", label,
		(unsigned long long)j.report->hash, (unsigned long long)j.report->steps,
		(long long)j.report->simulated_ms, well ? "well" : j.report->failure);
	return came_by(o, j.report->planted, well ? 0 : 1);
}

static int many(const struct settings *s)
{
	static struct job jobs[MOST_JOBS];
	struct totals t = { 0 };
	double began = seconds();
	uint64_t started = 0;
	int running = 0;
	while ((started < s->runs && !(s->first && t.failed)) || running > 0) {
		while (running < s->jobs && started < s->runs && !(s->first && t.failed)) {
			struct sim_options o = s->o;
			o.seed += started++;
			start(ended(jobs, 0), &o);
			running++;
		}
		int status;
		struct job *j = ended(jobs, wait(&status));
		if (j == NULL)
			continue;
		running--;
		j->pid = 0;
		bool well = finish(j, status);
		add(&t, j->report, well);
		if (well)
			continue;
		printf("seed %llu: %s\n", (unsigned long long)j->o.seed, j->report->failure);
		fflush(stdout);
		if (s->shrinks)
			shrink(&j->o, j->report);
		printf("    culver-sim ");
		print_options(&j->o);
	}
	print_totals(&t, seconds() - began);
	tally(s->tally, t.runs - t.failed, t.failed);
	return came_by(&s->o, t.planted > 0, t.failed ? 1 : 0);
}

/* Each line of the file but comments is options of a run. */
static int kept(const struct settings *all)
{
	char line[400], copy[400];
	FILE *f = fopen(all->kept, "r");
	uint64_t failed = 0, passed = 0;
	if (f == NULL) {
		perror(all->kept);
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		char name[] = "culver-sim", *words[40] = { name }, *rest = copy;
		int n = 1;
		line[strcspn(line, "\n")] = 0;
		memcpy(copy, line, sizeof(copy));
		for (char *word; n < 39 && (word = strsep(&rest, " ")) != NULL;)
			if (*word)
				words[n++] = word;
		if (n == 1 || line[0] == '#')
			continue;
		struct settings s = parse(n, words);
		printf("%s: ", line);
		bool well = one(&s.o, "") == 0;
		passed += well;
		failed += !well;
	}
	fclose(f);
	tally(all->tally, passed, failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct settings s = parse(argc, argv);
	if (s.kept)
		return kept(&s);
	if (s.runs != 1 || s.shrinks)
		return many(&s);
	return one(&s.o, "");
}
