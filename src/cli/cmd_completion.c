// SPDX-License-Identifier: Apache-2.0
/* culver completion: what a shell needs to complete our command lines, made from the table of
 * commands and from what each of them says of its own usage. So a new command or option is
 * completed without anyone's doing. */
#include "cli/cli.h"

#include "base/scan.h"

#include <stdio.h>

enum { USAGE_BYTES = 4096, WORDS_BYTES = 4096 };

/* One option as a usage text shows it: "--active yes|no". */
struct shown_option {
	struct str name;  /* "--active", "-c" */
	struct str value; /* "yes|no", "FILE"; empty: it takes none */
};

static bool ends_word(char c)
{
	return c == ' ' || c == '[' || c == ']';
}

static bool is_word(char c)
{
	return !ends_word(c);
}

/* The next option of a usage text; false at its end. */
static bool next_option(struct scan *s, struct shown_option *ret)
{
	while (!scan_end(s)) {
		scan_while(s, ends_word);
		struct str word = scan_while(s, is_word);
		if (word.n < 2 || word.p[0] != '-')
			continue;
		*ret = (struct shown_option){ .name = word };
		struct scan ahead = *s;
		if (options_takes_value(word) && scan_char(&ahead, ' '))
			ret->value = scan_while(&ahead, is_word);
		return true;
	}
	return false;
}

/* What stands for something else has a capital: FILE, expire:DAYS. */
static bool is_literal(struct str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] >= 'A' && word.p[i] <= 'Z')
			return false;
	return true;
}

/* Words that may follow an option: of "yes|no" both, of "ADDRESS|none" the second, of FILE none. */
static void add_choices(struct buf *out, struct str value)
{
	if (str_find(value, '|') == value.n)
		return;
	while (value.n) {
		struct str word = str_split(&value, '|');
		if (word.n && is_literal(word))
			buf_addf(out, "%s%" STR_FMT, out->n ? " " : "", STR_ARG(word));
	}
}

/* "-c FILE", "--dir D" */
static bool wants_file(const struct shown_option *o)
{
	return str_equal(o->value, STR("FILE")) || str_equal(o->name, STR("--dir"));
}

/* Whether a usage text asks for a path beside its options: DIRECTORY, FILE, PATH|URL. */
static bool takes_path(struct str usage)
{
	struct scan s = scan_from(usage);
	for (struct str before = STR(""); !scan_end(&s);) {
		scan_while(&s, ends_word);
		struct str word = scan_while(&s, is_word);
		bool path = str_starts(word, STR("FILE")) || str_starts(word, STR("PATH")) ||
			    str_starts(word, STR("DIRECTORY"));
		if (path && !options_takes_value(before))
			return true;
		before = word;
	}
	return false;
}

static void usage_of(const struct command *c, struct buf *out)
{
	struct options o = { .command = "", .args_n = ASK_USAGE, .usage = out };
	buf_clear(out);
	c->run(&o);
}

static bool is_first_of_group(const struct options *o, size_t i)
{
	const char *group = o->commands[i].group;
	for (size_t k = 0; k < i; k++) {
		const char *before = o->commands[k].group;
		if (group && before && strcmp(before, group) == 0)
			return false;
	}
	return true;
}

/* In single quotes for a POSIX shell and for fish. */
static void print_quoted(const char *text, const char *escaped_colon)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (*text == ':')
			printf("%s", escaped_colon);
		else
			putchar(*text);
	}
	putchar('\'');
}

/* The words behind a group, or all groups (NULL). */
static void print_names(const struct options *o, const char *group)
{
	bool first = true;
	for (size_t i = 0; i < o->commands_n; i++) {
		const struct command *c = &o->commands[i];
		bool wanted = group ? c->name && strcmp(c->group, group) == 0
				    : is_first_of_group(o, i);
		if (wanted)
			printf("%s%s", first ? "" : " ", group ? c->name : c->group);
		first = first && !wanted;
	}
}

/* ---- bash ---- */

/* Whether a usage text names an option before what is left of it. */
static bool is_named_before(struct str usage, const struct scan *left, struct str name)
{
	struct shown_option other;
	struct scan s = scan_from(str_sub(usage, 0, usage.n - scan_rest(left).n - name.n));
	while (next_option(&s, &other))
		if (str_equal(other.name, name))
			return true;
	return false;
}

/* Each once, though several forms of a command take it. */
static void print_options(struct str usage)
{
	struct shown_option option;
	struct scan s = scan_from(usage);
	for (bool first = true; next_option(&s, &option);) {
		if (is_named_before(usage, &s, option.name))
			continue;
		printf("%s%" STR_FMT, first ? "" : " ", STR_ARG(option.name));
		first = false;
	}
}

static void bash_command(const struct command *c, struct buf *usage)
{
	AUTO(buf_done)
	struct buf choices;
	struct shown_option option;
	usage_of(c, usage);
	buf_init(&choices, WORDS_BYTES);
	struct scan s = scan_from(buf_str(usage));
	while (next_option(&s, &option)) {
		buf_clear(&choices);
		add_choices(&choices, option.value);
		if (option.value.n) /* or none: what follows is no option */
			printf("\t\"%s%s%s %" STR_FMT "\") words='%s'%s ;;\n", c->group,
				c->name ? " " : "", c->name ? c->name : "", STR_ARG(option.name),
				choices.n ? choices.p : "", wants_file(&option) ? " files=1" : "");
	}
	printf("\t\"%s%s%s \"*) words='", c->group, c->name ? " " : "", c->name ? c->name : "");
	print_options(buf_str(usage));
	printf("'%s ;;\n", takes_path(buf_str(usage)) ? " files=1" : "");
}

/* Names of files are readline's own business, which knows how to quote them. */
static void print_bash(const struct options *o, struct buf *usage)
{
	printf("# bash completion for culver, made by: culver completion bash\n"
	       "_culver() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= "
	       "files=\n"
	       "\tlocal at=${COMP_WORDS[1]}\n"
	       "\tcase $COMP_CWORD,$at in\n\t1,*) words='");
	print_names(o, NULL);
	printf("' ;;\n");
	for (size_t i = 0; i < o->commands_n; i++) {
		if (!is_first_of_group(o, i) || o->commands[i].name == NULL)
			continue;
		printf("\t2,%s) words='", o->commands[i].group);
		print_names(o, o->commands[i].group);
		printf("' ;;\n\t*,%s) at+=\" ${COMP_WORDS[2]}\" ;;\n", o->commands[i].group);
	}
	printf("\tesac\n\t[ -n \"$words\" ] || case \"$at $prev\" in\n");
	for (size_t i = 0; i < o->commands_n; i++)
		bash_command(&o->commands[i], usage);
	printf("\tesac\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ -n \"$files\" ] && [[ $cur != -* ]]; then\n"
	       "\t\tcompopt -o default 2>/dev/null\n"
	       "\telse\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	       "\tfi\n"
	       "}\n"
	       "complete -F _culver culver\n");
}

/* ---- zsh ---- */

static void zsh_describe(const struct options *o, const char *group)
{
	printf("\t\twords_=(");
	for (size_t i = 0; i < o->commands_n; i++) {
		const struct command *c = &o->commands[i];
		if (group ? strcmp(c->group, group) != 0 : !is_first_of_group(o, i))
			continue;
		printf("\n\t\t\t%s", group ? c->name : c->group);
		printf(":");
		print_quoted(group || !c->name ? c->help : "", "\\:");
	}
	printf(")\n\t\t_describe -t commands command words_ ;;\n");
}

static void zsh_command(const struct command *c, struct buf *usage)
{
	AUTO(buf_done)
	struct buf choices;
	struct shown_option option;
	usage_of(c, usage);
	buf_init(&choices, WORDS_BYTES);
	printf("\t'%s%s%s') _arguments", c->group, c->name ? " " : "", c->name ? c->name : "");
	struct scan s = scan_from(buf_str(usage));
	while (next_option(&s, &option)) {
		if (is_named_before(buf_str(usage), &s, option.name))
			continue;
		bool file = wants_file(&option);
		buf_clear(&choices);
		add_choices(&choices, option.value);
		printf(" '%" STR_FMT, STR_ARG(option.name));
		if (option.value.n)
			printf(":value:");
		if (choices.n)
			printf("(%s)", choices.p);
		else if (file)
			printf("_files");
		else if (option.value.n)
			printf(" ");
		printf("'");
	}
	printf("%s ;;\n", takes_path(buf_str(usage)) ? " '*:file:_files'" : "");
}

static void print_zsh(const struct options *o, struct buf *usage)
{
	printf("#compdef culver\n# zsh completion for culver, made by: culver completion zsh\n"
	       "_culver() {\n\tlocal -a words_\n\tlocal at=$words[2]\n"
	       "\tcase $CURRENT,$at in\n\t2,*)\n");
	zsh_describe(o, NULL);
	for (size_t i = 0; i < o->commands_n; i++) {
		if (!is_first_of_group(o, i) || o->commands[i].name == NULL)
			continue;
		printf("\t3,%s)\n", o->commands[i].group);
		zsh_describe(o, o->commands[i].group);
		printf("\t*,%s) at+=\" $words[3]\" ;;\n", o->commands[i].group);
	}
	printf("\tesac\n\t(( $#words_ )) && return\n\tcase $at in\n");
	for (size_t i = 0; i < o->commands_n; i++)
		zsh_command(&o->commands[i], usage);
	printf("\tesac\n}\n"
	       "if [ \"$funcstack[1]\" = _culver ]; then _culver \"$@\"; else compdef _culver "
	       "culver; fi\n");
}

/* ---- fish ---- */

static void fish_condition(const struct command *c)
{
	/* The first words of the line, since a word may be a command of its own and one of a group
	 * ("check", "store check"). */
	printf("complete -c culver -n 'string match -rq \"^culver +%s%s%s( |\\$)\" -- (commandline "
	       "-cp)'",
		c->group, c->name ? " +" : "", c->name ? c->name : "");
}

static void fish_command(const struct command *c, struct buf *usage)
{
	AUTO(buf_done)
	struct buf choices;
	struct shown_option option;
	usage_of(c, usage);
	buf_init(&choices, WORDS_BYTES);
	struct scan s = scan_from(buf_str(usage));
	while (next_option(&s, &option)) {
		bool is_long = str_starts(option.name, STR("--"));
		bool file = wants_file(&option);
		buf_clear(&choices);
		add_choices(&choices, option.value);
		fish_condition(c);
		printf(" -%c %" STR_FMT "%s", is_long ? 'l' : 's',
			STR_ARG(str_from_offset(option.name, is_long ? 2 : 1)),
			option.value.n == 0 ? ""
			: file              ? " -rF"
					    : " -x");
		if (choices.n)
			printf(" -a '%s'", choices.p);
		printf("\n");
	}
	if (takes_path(buf_str(usage))) {
		fish_condition(c);
		printf(" -F\n");
	}
}

static void fish_names(const struct options *o, const struct command *c, bool first)
{
	if (first) {
		printf("complete -c culver -n __fish_use_subcommand -a %s -d ", c->group);
		print_quoted(c->name ? "" : c->help, ":");
		printf("\n");
	}
	if (c->name == NULL)
		return;
	printf("complete -c culver -n '__fish_seen_subcommand_from %s; and not "
	       "__fish_seen_subcommand_from ",
		c->group);
	print_names(o, c->group);
	printf("' -a %s -d ", c->name);
	print_quoted(c->help, ":");
	printf("\n");
}

static void print_fish(const struct options *o, struct buf *usage)
{
	printf("# fish completion for culver, made by: culver completion fish\n"
	       "complete -c culver -f\n");
	for (size_t i = 0; i < o->commands_n; i++)
		fish_names(o, &o->commands[i], is_first_of_group(o, i));
	for (size_t i = 0; i < o->commands_n; i++)
		fish_command(&o->commands[i], usage);
}

/* ---- the command ---- */

int cmd_completion(const struct options *o)
{
	static const struct {
		const char *name;
		void (*print)(const struct options *, struct buf *usage);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
	AUTO(buf_done)
	struct buf usage;
	buf_init(&usage, USAGE_BYTES);
	for (size_t i = 0; o->args_n == 1 && i < ARRAY_LEN(shells); i++) {
		if (strcmp(o->args[0], shells[i].name) == 0) {
			shells[i].print(o, &usage);
			return EXIT_GOOD;
		}
	}
	return cli_usage(o, "bash|zsh|fish");
}
