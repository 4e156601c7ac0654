#include "tests/scenarios/resolve_script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/build/dns_wire.h"
#include "tests/scenarios/resolve_world.h"

/* --- one line of a script */

struct line {
	char text[256];
	char *words[12];
	unsigned n;
};

struct run {
	struct resolve_world *w;
	const struct scenario *scenario;
	struct line line;
	unsigned n_sent, n_told; /* seen so far */
};

static void
split(struct line *line, const char *from, size_t len)
{
	char *save;

	assert_in_range(len, 1, sizeof(line->text) - 1);
	memcpy(line->text, from, len);
	line->text[len] = '\0';
	line->n = 0;
	for (char *word = strtok_r(line->text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		line->words[line->n++] = word;
	for (unsigned i = line->n; i < 12; i++)
		line->words[i] = NULL;
}

static const char *
where(const struct run *run)
{
	static char buf[400];
	size_t len = (size_t)snprintf(buf, sizeof(buf), "\"%s\", at", run->scenario->name);

	for (unsigned i = 0; i < run->line.n; i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, " %s", run->line.words[i]);
	return buf;
}

static void
check_equal(const struct run *run, const char *what, uint64_t got, uint64_t want)
{
	if (got != want)
		fail_msg("%s: %s is %lu, not %lu", where(run), what, got, want);
}

static unsigned
number(const struct run *run, unsigned i)
{
	if (run->line.words[i] == NULL)
		fail_msg("%s: a number is missing", where(run));
	return (unsigned)strtol(run->line.words[i], NULL, 10);
}

static uint16_t
type_of(const char *word)
{
	return strcmp(word, "AAAA") == 0 ? DNS_TYPE_AAAA : strcmp(word, "NS") == 0 ? DNS_TYPE_NS : DNS_TYPE_A;
}

/* A name as it is meant: the n-th, and with the zone's end. */
static void
format_name(const char *from, unsigned n, char name[DNS_TEXT_SIZE])
{
	size_t len = 0;

	for (; *from != '\0'; from++) {
		char one[2] = { *from, '\0' }, digits[12];
		const char *part = one;

		if (*from == '~')
			part = ".svc.cluster.local";
		if (*from == '#') {
			snprintf(digits, sizeof(digits), "%u", n);
			part = digits;
		}
		assert_in_range(len + strlen(part), 1, DNS_TEXT_SIZE - 1);
		strcpy(name + len, part);
		len += strlen(part);
	}
}

/* --- what may be said */

static void
ask(struct run *run, enum dns_miss_kind kind)
{
	bool is_prefetch = kind == DNS_MISS_PREFETCH;
	char **words = run->line.words + (is_prefetch ? 1 : 2), name[DNS_TEXT_SIZE];
	struct world_question q = { .name = name,
		.type = type_of(words[1]),
		.is_prefetch = is_prefetch,
		.is_shadow = kind == DNS_MISS_SHADOW };
	unsigned n = 1;

	for (char **at = words + 2; *at != NULL; at++) {
		q.dnssec |= strcmp(*at, "+do") == 0;
		q.checking_disabled |= strcmp(*at, "+cd") == 0;
		q.no_opt |= strcmp(*at, "-opt") == 0;
		q.is_completion |= strcmp(*at, "+search") == 0;
		if (**at == 'x')
			n = (unsigned)atoi(*at + 1);
		if (strncmp(*at, "size=", 5) == 0)
			q.udp_size = (uint16_t)atoi(*at + 5);
	}
	for (unsigned i = 0; i < n; i++) {
		format_name(words[0], i, name);
		world_ask(run->w, is_prefetch ? 1 : (uint16_t)number(run, 1), &q);
	}
}

static void
run_sent(struct run *run)
{
	const char *server = run->line.words[2], *kind = run->line.words[3], *name = run->line.words[4];

	if (strcmp(run->line.words[1], "-1") == 0)
		run->n_sent = run->w->n_sent - 1;
	else
		check_equal(run, "what was sent", run->w->n_sent - run->n_sent, number(run, 1));
	for (; run->n_sent < run->w->n_sent; run->n_sent++) {
		const struct world_sent *s = &run->w->sent[run->n_sent];
		char buf[DNS_TEXT_SIZE], want[DNS_TEXT_SIZE];

		if (server != NULL && *server != '-')
			check_equal(run, "the server", s->server.addr.b[15], (unsigned)(*server - 'a' + 1));
		if (kind != NULL)
			check_equal(run, "TCP", s->is_tcp, strcmp(kind, "tcp") == 0);
		if (name == NULL)
			continue;
		format_name(name, 0, want);
		if (strcmp(world_sent_name(run->w, run->n_sent + 1, buf), want) != 0)
			fail_msg("%s: it was %s that was asked for", where(run), buf);
	}
}

static void
run_reply(struct run *run)
{
	static const char *const kinds[N_WORLD_REPLIES] = { "address", "alias", "many", "nodata", "nxdomain",
		"servfail", "refused", "formerr", "bare-formerr", "truncated", "referral", "wrong-id",
		"wrong-name", "garbage", "lost", "zone" };
	const char *to = strchr(run->line.words[1], '-'), *what = run->line.words[3];
	unsigned first = number(run, 1), last = to != NULL ? (unsigned)atoi(to + 1) : first;
	unsigned times = what != NULL && *what == 'x' ? (unsigned)atoi(what + 1) : 1;
	enum world_reply kind = 0;

	while (kind < N_WORLD_REPLIES && strcmp(kinds[kind], run->line.words[2]) != 0)
		kind++;
	for (unsigned i = first; i <= last; i++) {
		if (kind == N_WORLD_REPLIES || i > run->w->n_sent)
			fail_msg("%s: there is no such reply, or query", where(run));
		for (unsigned j = 0; j < times; j++)
			world_reply(run->w, i, kind, what != NULL && times == 1 ? number(run, 3) : 0);
	}
}

/* The extended error, which is the first option of an OPT at the end; -1: none. */
static int
read_ede(const struct dns_told *t)
{
	const uint8_t *m = t->message;

	for (unsigned at = DNS_HEADER_SIZE; at + DNS_OPT_SIZE + 6 <= t->size; at++)
		if (m[at] == 0 && m[at + 1] == 0 && m[at + 2] == DNS_TYPE_OPT &&
			m[at + 3] == DNS_UDP_SIZE_MAX >> 8 && m[at + 4] == (DNS_UDP_SIZE_MAX & 255) &&
			m[at + 11] == 0 && m[at + 12] == 15)
			return m[at + 15] << 8 | m[at + 16];
	return -1;
}

/* Of the first record. */
static uint32_t
read_ttl(const struct dns_told *t)
{
	unsigned at = DNS_HEADER_SIZE;

	while (t->message[at] != 0)
		at += 1u + t->message[at];
	at += 5 + DNS_RR_TTL;
	return (uint32_t)t->message[at] << 24 | (uint32_t)t->message[at + 1] << 16 |
	       (uint32_t)t->message[at + 2] << 8 | t->message[at + 3];
}

/* By the first record, which is an alias. */
static void
check_completed(struct run *run, const struct dns_told *t, const char *name)
{
	unsigned at = DNS_HEADER_SIZE;
	char text[DNS_TEXT_SIZE], want[DNS_TEXT_SIZE];

	check_equal(run, "whether it was completed", t->is_completed, strcmp(name, "-") != 0);
	if (!t->is_completed)
		return;
	while (t->message[at] != 0)
		at += 1u + t->message[at];
	at += 5;
	check_equal(run, "the type", t->message[at + 3], DNS_TYPE_CNAME);
	dns_wire_format(t->message + at + DNS_RR_HEADER, text);
	format_name(name, 0, want);
	if (strcmp(text, want) != 0)
		fail_msg("%s: it leads to %s", where(run), text);
}

static void
check_told(struct run *run, const struct dns_told *t)
{
	char **words = run->line.words;

	if (words[2] != NULL && *words[2] != '-' && strcmp(dns_source_label(t->source), words[2]) != 0)
		fail_msg("%s: the source is %s", where(run), dns_source_label(t->source));
	if (words[3] != NULL && *words[3] != '-')
		check_equal(run, "the result code", t->rcode, number(run, 3));
	for (char **at = words + 2; *at != NULL; at++) {
		if (strncmp(*at, "ttl=", 4) == 0)
			check_equal(run, "the TTL", read_ttl(t), (unsigned)atoi(*at + 4));
		if (strncmp(*at, "ede=", 4) == 0)
			check_equal(
				run, "the extended error", (unsigned)read_ede(t), (unsigned)atoi(*at + 4));
		if (strncmp(*at, "answers=", 8) == 0)
			check_equal(run, "the number of answers", t->message[DNS_ANSWERS_AT + 1],
				(unsigned)atoi(*at + 8));
		if (strncmp(*at, "to=", 3) == 0)
			check_completed(run, t, *at + 3);
		if (strcmp(*at, "tc") == 0)
			check_equal(run, "TC", (t->message[DNS_FLAGS_AT] & DNS_FLAG_TC) != 0, true);
	}
	if (t->message[DNS_FLAGS_AT] & DNS_FLAG_TC)
		check_equal(run, "TC's reason", words[4] != NULL && strcmp(words[4], "tc") == 0, true);
}

static void
run_told(struct run *run)
{
	check_equal(run, "what was told", run->w->n_told - run->n_told, number(run, 1));
	for (; run->n_told < run->w->n_told; run->n_told++)
		check_told(run, &run->w->told[run->n_told]);
}

static void
run_diverged(struct run *run)
{
	const struct shadow_book *book = resolve_shadow_book(run->w->resolve);
	unsigned n = 0;

	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++) {
		const struct shadow_divergence *d = &book->all[i];

		if (d->n == 0)
			continue;
		n++;
		if (run->line.n > 2 && strcmp(shadow_kind_text(d->kind), run->line.words[2]) != 0)
			fail_msg("%s: it is %s", where(run), shadow_kind_text(d->kind));
		if (run->line.n > 3)
			check_equal(run, "how often", (unsigned)d->n, number(run, 3));
	}
	check_equal(run, "what diverged", n, number(run, 1));
}

static void
run_ask(struct run *run)
{
	ask(run, DNS_MISS_QUERY);
}

static void
run_shadow(struct run *run)
{
	ask(run, DNS_MISS_SHADOW);
}

static void
run_prefetch(struct run *run)
{
	ask(run, DNS_MISS_PREFETCH);
}

static void
run_repeat(struct run *run)
{
	world_repeat(run->w);
}

static void
run_break(struct run *run)
{
	world_break(run->w, number(run, 1));
}

static void
run_wait(struct run *run)
{
	world_wait(run->w, number(run, 1));
}

static void
run_down(struct run *run)
{
	run->w->send_error = run->line.n > 2 ? -EMFILE : -ENETUNREACH;
	run->w->server_down = *run->line.words[1];
}

static void
run_full(struct run *run)
{
	run->w->is_tcp_full = true;
}

static void
run_servers(struct run *run)
{
	world_servers(run->w, run->line.words[1], run->line.words[2]);
}

static void
run_service(struct run *run)
{
	world_service(run->w, run->line.words[1]);
}

static void
run_namespace(struct run *run)
{
	world_namespace(run->w, (uint16_t)number(run, 1), run->line.words[2]);
}

static void
run_suffix(struct run *run)
{
	world_suffix(run->w, run->line.words[1]);
}

static void
run_alias(struct run *run)
{
	world_alias(run->w, run->line.words[1], run->line.words[2]);
}

static void
run_count(struct run *run)
{
	check_equal(run, run->line.words[1], world_counter(run->w, run->line.words[1]), number(run, 2));
}

static void
run_open(struct run *run)
{
	check_equal(run, "what is open", resolve_books(run->w->resolve).n_tries, number(run, 1));
}

static void
run_under(struct run *run)
{
	check_equal(run, "what is under way", resolve_books(run->w->resolve).n_lookups, number(run, 2));
}

static const struct {
	const char *word;
	void (*run)(struct run *run);
} commands[] = {
	{ "alias", run_alias },
	{ "ask", run_ask },
	{ "break", run_break },
	{ "count", run_count },
	{ "diverged", run_diverged },
	{ "down", run_down },
	{ "full", run_full },
	{ "namespace", run_namespace },
	{ "open", run_open },
	{ "prefetch", run_prefetch },
	{ "repeat", run_repeat },
	{ "reply", run_reply },
	{ "sent", run_sent },
	{ "servers", run_servers },
	{ "service", run_service },
	{ "shadow", run_shadow },
	{ "suffix", run_suffix },
	{ "told", run_told },
	{ "under", run_under },
	{ "wait", run_wait },
};

static void
run_line(struct run *run)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(run->line.words[0], commands[i].word) == 0) {
			commands[i].run(run);
			return;
		}
	fail_msg("%s: that is no command", where(run));
}

/* What holds at the end of each: nobody is forgotten, nothing is left. */
static void
run_end(struct run *run)
{
	struct resolve_books books;

	split(&run->line, "the end", 7);
	world_wait(run->w, 60000);
	books = resolve_books(run->w->resolve);
	check_equal(run, "what is under way", books.n_lookups + books.n_waiters + books.n_tries, 0);
	for (unsigned i = 0; i < run->w->n_asked; i++) {
		const struct world_asked *asked = &run->w->asked[i];
		bool somebody_waits =
			asked->miss.kind == DNS_MISS_QUERY || asked->miss.kind == DNS_MISS_COMPLETION;

		check_equal(run, "answers to one query", asked->n_told, somebody_waits);
	}
}

void
resolve_script_run(const struct scenario *s)
{
	struct run run = { .scenario = s };

	run.w = world_new(s->queries_per_s != 0 ? s->queries_per_s : 800,
		s->in_flight != 0 ? s->in_flight : 64, s->servers != NULL ? s->servers : "a");
	for (const char *at = s->script; *at != '\0';) {
		size_t len = strcspn(at, ";");

		split(&run.line, at, len);
		run_line(&run);
		at += len + (at[len] == ';');
	}
	run_end(&run);
	world_free(run.w);
}
