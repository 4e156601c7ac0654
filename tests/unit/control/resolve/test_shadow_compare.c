/* Answers side by side: what counts as a divergence, and how answers read. A row's answers are scripts of words: a result code, "aa",
 * "tc", addresses, "cname=NAME", "txt=TEXT", "srv=NAME", "soa=SERIAL", "more=ADDRESS" (additional), "ttl=N" and "owner=NAME" for what
 * follows, "junk" (bytes behind the end). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/resolve/shadow_book.h"
#include "control/resolve/shadow_compare.h"
#include "control/resolve/shadow_text.h"
#include "tests/support/dns_messages.h"

#define NAME "api.shop.svc.cluster.local"
#define ZONE "cluster.local"

struct row {
	const char *ours, *theirs;
	enum shadow_kind kind;
	enum shadow_extent extent;
};

/* clang-format off */
static const struct row rows[] = {
	{ "0 aa 10.96.0.7", "0 aa 10.96.0.7", SHADOW_SAME },
	{ "0 aa fd00::7", "0 aa fd00::7", SHADOW_SAME },
	/* what does not matter */
	{ "0 aa 10.0.0.1 10.0.0.2", "0 aa 10.0.0.2 10.0.0.1", SHADOW_SAME },
	{ "0 aa 10.0.0.1", "0 aa 10.0.0.1 10.0.0.1", SHADOW_SAME },
	{ "0 aa ttl=30 10.0.0.1", "0 aa ttl=5 10.0.0.1", SHADOW_SAME },
	{ "0 aa owner=api.shop.svc.cluster.local 10.0.0.1", "0 aa owner=API.Shop.svc.cluster.LOCAL 10.0.0.1", SHADOW_SAME },
	{ "0 aa cname=www.example.com", "0 aa cname=WWW.example.COM", SHADOW_SAME },
	{ "0 aa srv=a.cluster.local", "0 aa srv=A.cluster.local", SHADOW_SAME },
	{ "3 aa soa=1", "3 aa soa=77", SHADOW_SAME },
	{ "0 aa srv=a.cluster.local more=10.0.0.1", "0 aa srv=a.cluster.local", SHADOW_SAME },
	{ "0 aa srv=a.cluster.local", "0 aa srv=a.cluster.local more=10.0.0.1", SHADOW_SAME },
	/* result codes come first */
	{ "0 aa 10.0.0.1", "3 aa soa=1", SHADOW_RCODE },
	{ "3 aa soa=1", "0 aa 10.0.0.1", SHADOW_RCODE },
	{ "0 aa soa=1", "3 aa soa=1", SHADOW_RCODE },
	{ "0 aa 10.0.0.1", "2", SHADOW_RCODE },
	{ "0 aa 10.0.0.1", "5", SHADOW_RCODE },
	/* then records */
	{ "0 aa 10.0.0.1", "0 aa 10.0.0.1 10.0.0.2", SHADOW_MISSING },
	{ "0 aa 10.0.0.1 10.0.0.2", "0 aa 10.0.0.1", SHADOW_EXTRA },
	{ "0 aa 10.0.0.1", "0 aa 10.0.0.2", SHADOW_MISSING },
	{ "0 aa soa=1", "0 aa 10.0.0.1", SHADOW_MISSING },
	{ "0 aa 10.0.0.1", "0 aa soa=1", SHADOW_MISSING },
	{ "0 aa 10.0.0.1", "0 aa", SHADOW_EXTRA },
	{ "3 aa soa=1", "3 aa", SHADOW_EXTRA },
	{ "3 aa soa=1", "3 aa owner=local soa=1", SHADOW_MISSING },
	{ "0 aa txt=1.1.0", "0 aa txt=1.1.1", SHADOW_MISSING },
	{ "0 aa txt=abc", "0 aa txt=ABC", SHADOW_MISSING },
	{ "0 aa srv=a.cluster.local", "0 aa srv=b.cluster.local", SHADOW_MISSING },
	{ "0 aa fd00::7", "0 aa 10.0.0.1", SHADOW_MISSING },
	/* then AA */
	{ "0 aa 10.0.0.1", "0 10.0.0.1", SHADOW_AUTHORITY },
	{ "3 aa soa=1", "3 soa=1", SHADOW_AUTHORITY },
	{ "0 aa 10.0.0.1", "0 10.0.0.2", SHADOW_MISSING },
	/* what cannot be compared */
	{ "0 aa 10.0.0.1", "0 aa 10.0.0.1 junk", SHADOW_NO_ANSWER },
	{ "0 aa 10.0.0.1", "0 aa tc", SHADOW_NO_ANSWER },
	/* ours did not fit */
	{ "0 aa tc 10.0.0.1", "0 aa 10.0.0.1 10.0.0.2", SHADOW_SAME, SHADOW_CUT },
	{ "0 aa tc 10.0.0.3", "0 aa 10.0.0.1 10.0.0.2", SHADOW_EXTRA, SHADOW_CUT },
	{ "0 aa tc 10.0.0.1", "3 aa soa=1", SHADOW_RCODE, SHADOW_CUT },
	/* ours ends with an alias of a name outside */
	{ "0 aa cname=www.example.com", "0 cname=www.example.com owner=www.example.com 192.0.2.1", SHADOW_SAME, SHADOW_LEAVES },
	{ "0 aa cname=www.example.com", "3 cname=www.example.com soa=1", SHADOW_SAME, SHADOW_LEAVES },
	{ "0 aa cname=www.example.com", "0 aa cname=www.example.org", SHADOW_EXTRA, SHADOW_LEAVES },
	{ "0 aa cname=www.example.com", "2", SHADOW_NO_ANSWER, SHADOW_LEAVES },
};

static const struct {
	const char *script, *text;
} texts[] = {
	{ "0 aa 10.96.0.7", "NOERROR: A 10.96.0.7" },
	{ "0 aa 10.96.0.7 10.96.0.10", "NOERROR: A 10.96.0.10, A 10.96.0.7" },
	{ "0 aa 10.96.0.10 10.96.0.7", "NOERROR: A 10.96.0.10, A 10.96.0.7" },
	{ "0 fd00::7", "NOERROR, not authoritative: AAAA fd00::7" },
	{ "3 aa soa=1", "NXDOMAIN" },
	{ "2", "SERVFAIL, not authoritative" },
	{ "9", "RCODE9, not authoritative" },
	{ "0 aa srv=a.cluster.local", "NOERROR: SRV 0 50 80 a.cluster.local." },
	{ "0 aa txt=1.1.0", "NOERROR: TXT 1.1.0" },
	{ "0 aa txt=a\nb", "NOERROR: TXT a.b" },
	{ "0 aa cname=www.example.com", "NOERROR: CNAME www.example.com." },
	{ "0 junk", "malformed" },
};

static const struct {
	const char *ours, *theirs, *own, *other;
} pairs[] = {
	{ "0 aa 10.96.0.7", "3 aa soa=1", "NOERROR: A 10.96.0.7", "NXDOMAIN" },
	{ "0 aa tc 10.96.0.7", "0 aa 10.96.0.8", "NOERROR: A 10.96.0.7", "NOERROR: A 10.96.0.8" },
	{ "3 aa soa=1", "", "NXDOMAIN", "no answer" },
	{ "3 aa soa=1", "3 aa",
		"NXDOMAIN, only here: cluster.local. SOA ns.dns.cluster.local. hostmaster.cluster.local. 7200 1800 86400", "NXDOMAIN" },
	{ "3 aa soa=1", "3 aa owner=local soa=2",
		"NXDOMAIN, only here: cluster.local. SOA ns.dns.cluster.local. hostmaster.cluster.local. 7200 1800 86400",
		"NXDOMAIN, only here: local. SOA ns.dns.cluster.local. hostmaster.cluster.local. 7200 1800 86400" },
	{ "0 aa 10.0.0.1", "0 aa owner=other.example 10.0.0.1",
		"NOERROR, only here: " NAME ". A 10.0.0.1", "NOERROR, only here: other.example. A 10.0.0.1" },
	{ "0 aa tc junk", "0 aa tc", "malformed", "truncated" },
};
/* clang-format on */

struct writer {
	struct message m;
	uint32_t ttl_s;
	char owner[128];
};

static void
write_soa(struct writer *w, uint32_t serial)
{
	const char *owner = strcmp(w->owner, NAME) == 0 ? ZONE : w->owner;
	size_t data = message_record(&w->m, SECTION_AUTHORITY, owner, DNS_TYPE_SOA, w->ttl_s);

	message_name(&w->m, "ns.dns.cluster.local");
	message_name(&w->m, "hostmaster.cluster.local");
	message_u32(&w->m, serial);
	message_u32(&w->m, 7200);
	message_u32(&w->m, 1800);
	message_u32(&w->m, 86400);
	message_u32(&w->m, serial % 30);
	message_end(&w->m, data);
}

static void
write_text(struct writer *w, const char *text)
{
	uint8_t data[64] = { (uint8_t)strlen(text) };

	memcpy(data + 1, text, data[0]);
	message_raw(&w->m, SECTION_ANSWER, w->owner, DNS_TYPE_TXT, w->ttl_s, data, data[0] + 1u);
}

static void
write_srv(struct writer *w, const char *target)
{
	size_t data = message_record(&w->m, SECTION_ANSWER, w->owner, DNS_TYPE_SRV, w->ttl_s);

	message_u16(&w->m, 0);
	message_u16(&w->m, 50);
	message_u16(&w->m, 80);
	message_name(&w->m, target);
	message_end(&w->m, data);
}

static void
write_word(struct writer *w, char *word)
{
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(word, "aa") == 0)
		w->m.bytes[2] |= MESSAGE_AA >> 8;
	else if (strcmp(word, "tc") == 0)
		w->m.bytes[2] |= MESSAGE_TC >> 8;
	else if (strcmp(word, "junk") == 0)
		message_u32(&w->m, 1);
	else if (strcmp(word, "ttl") == 0)
		w->ttl_s = (uint32_t)atoi(value);
	else if (strcmp(word, "owner") == 0)
		snprintf(w->owner, sizeof(w->owner), "%s", value);
	else if (strcmp(word, "cname") == 0)
		message_target(&w->m, SECTION_ANSWER, w->owner, DNS_TYPE_CNAME, w->ttl_s, value);
	else if (strcmp(word, "txt") == 0)
		write_text(w, value);
	else if (strcmp(word, "srv") == 0)
		write_srv(w, value);
	else if (strcmp(word, "soa") == 0)
		write_soa(w, (uint32_t)atoi(value));
	else if (strcmp(word, "more") == 0)
		message_addr(&w->m, SECTION_ADDITIONAL, "a.cluster.local", w->ttl_s, value);
	else if (word[1] == '\0')
		w->m.bytes[3] |= (uint8_t)atoi(word);
	else
		message_addr(&w->m, SECTION_ANSWER, w->owner, w->ttl_s, word);
}

static const struct message *
write_message(struct writer *w, const char *script)
{
	char copy[256], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", script);
	w->ttl_s = 30;
	snprintf(w->owner, sizeof(w->owner), "%s", NAME);
	message_begin(&w->m, MESSAGE_REPLY, NAME, DNS_TYPE_A);
	while ((word = strsep(&rest, " ")) != NULL)
		write_word(w, word);
	return &w->m;
}

static void
test_rows(void **state)
{
	static struct writer ours, theirs;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const struct message *a = write_message(&ours, row->ours);
		const struct message *b = write_message(&theirs, row->theirs);
		enum shadow_kind kind = shadow_compare(a->bytes, a->size, row->extent, b->bytes, b->size);

		if (kind != row->kind)
			fail_msg("%s | %s: %s, not %s", row->ours, row->theirs, shadow_kind_text(kind),
				shadow_kind_text(row->kind));
	}
}

static void
test_texts(void **state)
{
	static struct writer w;
	char buf[SHADOW_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct message *m = write_message(&w, texts[i].script);

		assert_string_equal(shadow_text(m->bytes, m->size, buf), texts[i].text);
	}
}

static void
test_pairs(void **state)
{
	static struct writer ours, theirs;
	char own[SHADOW_TEXT_SIZE], other[SHADOW_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct message *a = write_message(&ours, pairs[i].ours);
		const struct message *b =
			*pairs[i].theirs == '\0' ? NULL : write_message(&theirs, pairs[i].theirs);

		shadow_texts(
			a->bytes, a->size, b == NULL ? NULL : b->bytes, b == NULL ? 0 : b->size, own, other);
		assert_string_equal(own, pairs[i].own);
		assert_string_equal(other, pairs[i].other);
	}
}

/* Of 21 addresses the last one differs, for which a line has no room. */
static void
test_what_differs_has_room(void **state)
{
	static struct writer ours, theirs;
	char own[SHADOW_TEXT_SIZE], other[SHADOW_TEXT_SIZE], addr[32];

	(void)state;
	write_message(&ours, "0 aa");
	write_message(&theirs, "0 aa");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(addr, sizeof(addr), "10.100.100.%u", 100 + i);
		message_addr(&ours.m, SECTION_ANSWER, NAME, 30, addr);
		message_addr(&theirs.m, SECTION_ANSWER, NAME, 30, addr);
	}
	message_addr(&theirs.m, SECTION_ANSWER, NAME, 30, "10.100.100.200");
	shadow_texts(ours.m.bytes, ours.m.size, theirs.m.bytes, theirs.m.size, own, other);
	assert_string_equal(own, "NOERROR");
	assert_string_equal(other, "NOERROR, only here: " NAME ". A 10.100.100.200");
}

static void
test_a_text_ends_where_there_is_no_room(void **state)
{
	static struct writer w;
	char buf[SHADOW_TEXT_SIZE], addr[32];
	size_t len;

	(void)state;
	write_message(&w, "0 aa");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(addr, sizeof(addr), "10.100.100.%u", 100 + i);
		message_addr(&w.m, SECTION_ANSWER, NAME, 30, addr);
	}
	len = strlen(shadow_text(w.m.bytes, w.m.size, buf));
	assert_in_range(len, SHADOW_TEXT_SIZE / 2, SHADOW_TEXT_SIZE - 1);
	assert_string_equal(buf + len - 4, " ...");
}

static void
test_copies_follow_the_book(void **state)
{
	static struct shadow_book book;
	static struct shadow_divergence copy[SHADOW_DIVERGENCES];
	struct shadow_divergence d = { .kind = SHADOW_EXTRA, .type = 1, .name_len = 1 };

	(void)state;
	for (unsigned i = 1; i <= 2 * SHADOW_DIVERGENCES; i++) {
		d.type = (uint16_t)i;
		d.last_ns = i;
		shadow_book_note(&book, &d);
		shadow_book_note(&book, &d);
		if (i % 5 == 0)
			shadow_book_copy(&book, copy);
	}
	shadow_book_copy(&book, copy);
	assert_int_equal(book.changed, 0);
	assert_memory_equal(copy, book.all, sizeof(copy));
	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++) {
		assert_int_equal(copy[i].n, 2);
		assert_in_range(copy[i].type, SHADOW_DIVERGENCES + 1, 2 * SHADOW_DIVERGENCES);
		assert_int_equal(copy[i].first_ns, copy[i].type);
	}
}

static unsigned
n_noted(const struct shadow_book *book, uint16_t port, enum shadow_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++)
		n += book->all[i].n != 0 && book->all[i].client.port == port && book->all[i].kind == kind;
	return n;
}

/* Of different names: n of that kind, one after the other. */
static void
note_some(struct shadow_book *book, uint16_t port, enum shadow_kind kind, unsigned n)
{
	static uint64_t now;

	for (unsigned i = 0; i < n; i++) {
		now++;
		shadow_book_note(book, &(struct shadow_divergence){ .kind = (uint8_t)kind,
					       .client = { .port = port },
					       .last_ns = now,
					       .name_len = sizeof(now),
					       .name = { (uint8_t)now, (uint8_t)(now >> 8) } });
	}
}

static void
test_nobody_pushes_out_what_others_found(void **state)
{
	static struct shadow_book book;

	(void)state;
	note_some(&book, 1, SHADOW_RCODE, 5);
	note_some(&book, 2, SHADOW_EXTRA, 10 * SHADOW_DIVERGENCES);
	assert_int_equal(n_noted(&book, 1, SHADOW_RCODE), 5);
	assert_int_equal(n_noted(&book, 2, SHADOW_EXTRA), SHADOW_DIVERGENCES - 5);
	note_some(&book, 3, SHADOW_NO_ANSWER, 10 * SHADOW_DIVERGENCES);
	assert_int_equal(n_noted(&book, 1, SHADOW_RCODE), 5);
	assert_int_equal(n_noted(&book, 2, SHADOW_EXTRA), SHADOW_DIVERGENCES - 6);
	assert_int_equal(n_noted(&book, 3, SHADOW_NO_ANSWER), 1);
	note_some(&book, 1, SHADOW_EXTRA, 1);
	assert_int_equal(n_noted(&book, 3, SHADOW_NO_ANSWER), 0);
}

static void
test_what_is_long_ago_is_not_lately(void **state)
{
	const struct shadow_divergence all[] = { { .n = 1, .kind = SHADOW_RCODE, .last_ns = 100 },
		{ .n = 1, .kind = SHADOW_NO_ANSWER, .last_ns = 200 },
		{ .n = 0, .kind = SHADOW_EXTRA, .last_ns = 300 } };

	(void)state;
	assert_true(shadow_diverged_since(all, 3, 99));
	assert_true(shadow_diverged_since(all, 3, 100));
	assert_false(shadow_diverged_since(all, 3, 101));
	assert_false(shadow_diverged_since(all, 0, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_what_differs_has_room),
		cmocka_unit_test(test_a_text_ends_where_there_is_no_room),
		cmocka_unit_test(test_copies_follow_the_book),
		cmocka_unit_test(test_what_is_long_ago_is_not_lately),
		cmocka_unit_test(test_nobody_pushes_out_what_others_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
