#include "control/admin/question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/admin/probe.h"

#define DEFAULT_SPORT 40000 /* in the range that pods choose from (DESIGN 5.2) */
#define SIZE_MAX_BYTES 9000

static bool
number(const char *text, unsigned min, unsigned max, uint16_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < min || n > max)
		return false;
	*out = (uint16_t)n;
	return true;
}

/* "namespace/name" or an address, without brackets. */
static bool
parse_party(struct party *p, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t ns_len = slash == NULL ? 0 : (size_t)(slash - text);

	if (ip_addr_parse(text, &p->addr)) {
		p->kind = PARTY_ADDRESS;
		return true;
	}
	if (ns_len == 0 || ns_len >= sizeof(p->ns) || slash[1] == '\0' ||
		strlen(slash + 1) >= sizeof(p->name) || strchr(slash + 1, '/') != NULL)
		return false;
	p->kind = PARTY_NAME;
	memcpy(p->ns, text, ns_len);
	p->ns[ns_len] = '\0';
	strcpy(p->name, slash + 1);
	return true;
}

/* "outside:203.0.113.9", "outside:2001:db8::9", the latter in brackets if one likes. */
static bool
parse_outside(struct party *p, const char *text)
{
	static const char prefix[] = "outside:";
	char addr[IP_ADDR_STRLEN + 2];
	size_t len;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	text += sizeof(prefix) - 1;
	len = strlen(text);
	if (len >= sizeof(addr))
		return false;
	strcpy(addr, text);
	if (len > 2 && addr[0] == '[' && addr[len - 1] == ']') {
		addr[len - 1] = '\0';
		memmove(addr, addr + 1, len - 1);
	}
	p->kind = PARTY_OUTSIDE;
	return ip_addr_parse(addr, &p->addr);
}

static bool
parse_from(struct question *q, const char *text, char *error)
{
	if (strcmp(text, "node") == 0) {
		q->from.kind = PARTY_NODE;
		return true;
	}
	if (parse_outside(&q->from, text))
		return true;
	if (parse_party(&q->from, text))
		return true;
	snprintf(error, QUESTION_ERROR_SIZE,
		"'%.100s' is no sender: it is NAMESPACE/POD, an address such as 10.244.1.2 or fd00::2, "
		"\"node\", or "
		"outside:ADDRESS",
		text);
	return false;
}

/* Cuts a protocol off the end: "10.96.0.10:80/tcp". A last part that is none of them belongs to a name. */
static void
take_proto(struct question *q, char *text)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = { { "tcp", PROTO_TCP }, { "udp", PROTO_UDP }, { "sctp", PROTO_SCTP },
		{ "icmp", PROTO_ICMP } };
	char *slash = strrchr(text, '/');

	q->proto = PROTO_TCP;
	for (size_t i = 0; slash != NULL && i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcasecmp(slash + 1, protos[i].name) == 0) {
			q->proto = protos[i].proto;
			*slash = '\0';
			return;
		}
}

/* Cuts off ":80" or ":http", and brackets. An IPv6 address without brackets has no port. */
static bool
take_port(struct question *q, char **text)
{
	struct ip_addr ignored;
	char *colon;

	if (ip_addr_parse(*text, &ignored))
		return true;
	if (**text == '[') {
		char *bracket = strchr(*text, ']');

		if (bracket == NULL)
			return false;
		*bracket = '\0';
		++*text;
		if (bracket[1] == '\0')
			return true;
		return bracket[1] == ':' && number(bracket + 2, 1, UINT16_MAX, &q->dport);
	}
	colon = strrchr(*text, ':');
	if (colon == NULL)
		return true;
	*colon = '\0';
	if (number(colon + 1, 1, UINT16_MAX, &q->dport))
		return true;
	if (colon[1] == '\0' || strlen(colon + 1) >= sizeof(q->port_name) || strchr(*text, '/') == NULL ||
		strspn(colon + 1, "0123456789") != 0)
		return false;
	strcpy(q->port_name, colon + 1);
	return true;
}

static bool
parse_to(struct question *q, const char *to, char *error)
{
	char copy[600], *text = copy;

	if (strlen(to) < sizeof(copy)) {
		strcpy(copy, to);
		take_proto(q, text);
		if (take_port(q, &text) && parse_party(&q->to, text)) {
			if (q->proto == PROTO_ICMP || q->to.kind != PARTY_ADDRESS || q->dport != 0)
				return true;
			snprintf(error, QUESTION_ERROR_SIZE,
				"'%.60s' has no port: add one, as in %s%.60s%s:80/tcp, or /icmp", to,
				strchr(text, ':') ? "[" : "", text, strchr(text, ':') ? "]" : "");
			return false;
		}
	}
	snprintf(error, QUESTION_ERROR_SIZE,
		"'%.80s' is no destination: it is ADDRESS:PORT/PROTOCOL, [IPV6]:PORT/PROTOCOL, "
		"NAMESPACE/NAME:PORT/PROTOCOL "
		"or ADDRESS/icmp; PROTOCOL is tcp, udp, sctp or icmp",
		to);
	return false;
}

bool
question_parse(struct question *q, const char *from, const char *to, const char *sport, const char *tcp_flags,
	const char *size, char error[static QUESTION_ERROR_SIZE])
{
	memset(q, 0, sizeof(*q));
	if (!parse_from(q, from, error) || !parse_to(q, to, error))
		return false;
	q->sport = DEFAULT_SPORT;
	q->tcp_flags = q->proto == PROTO_TCP ? TCP_SYN : 0;
	if (sport != NULL && !number(sport, 1, UINT16_MAX, &q->sport)) {
		snprintf(error, QUESTION_ERROR_SIZE, "source port '%.20s' is not a number from 1 to 65535",
			sport);
		return false;
	}
	if (tcp_flags != NULL && q->proto != PROTO_TCP) {
		snprintf(error, QUESTION_ERROR_SIZE, "TCP flags for a packet that is not TCP");
		return false;
	}
	if (tcp_flags != NULL && !probe_parse_tcp_flags(tcp_flags, &q->tcp_flags)) {
		snprintf(error, QUESTION_ERROR_SIZE,
			"'%.40s' are no TCP flags: they are SYN, ACK, FIN, RST, PSH and URG, with commas, or "
			"none",
			tcp_flags);
		return false;
	}
	if (size != NULL && !number(size, 1, SIZE_MAX_BYTES, &q->size)) {
		snprintf(error, QUESTION_ERROR_SIZE, "size '%.20s' is not a number of bytes from 1 to %d",
			size, SIZE_MAX_BYTES);
		return false;
	}
	return true;
}
