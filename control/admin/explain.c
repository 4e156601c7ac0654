#include "control/admin/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_TEXT_SIZE 1024

/* The uplink's program did not hand it to a worker: see leave_to_stack(). */
static bool
is_left_to_stack(const struct explain_output *run)
{
	return run->verdict == VERDICT_PUNT && run->out_port >= PORTS_MAX;
}

static bool
has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

static int
print_end(char *text, size_t size, const struct explain_header *h, const struct ip_addr *addr, uint16_t port)
{
	char buf[IP_ADDR_STRLEN];
	const char *format = ip_addr_is_v4(addr) ? "%s:%u" : "[%s]:%u";

	if (has_ports(h->proto) && port == 0) /* a worker's table would choose one */
		return snprintf(
			text, size, ip_addr_is_v4(addr) ? "%s:*" : "[%s]:*", ip_addr_format(addr, buf));
	if (has_ports(h->proto))
		return snprintf(text, size, format, ip_addr_format(addr, buf), port);
	return snprintf(text, size, "%s", ip_addr_format(addr, buf));
}

/* "tcp SYN 10.244.1.2:40000 -> 10.96.0.10:80, 44 bytes" */
static void
print_header(char *text, size_t size, const struct explain_header *h)
{
	char flags[PROBE_FLAGS_SIZE];
	size_t len = (size_t)snprintf(text, size, "%s ", proto_name(h->proto));

	if (h->proto == PROTO_TCP)
		len += (size_t)snprintf(
			text + len, size - len, "%s ", probe_format_tcp_flags(h->tcp_flags, flags));
	len += (size_t)print_end(text + len, size - len, h, &h->src, h->sport);
	len += (size_t)snprintf(text + len, size - len, " -> ");
	len += (size_t)print_end(text + len, size - len, h, &h->dst, h->dport);
	snprintf(text + len, size - len, ", %u bytes", h->size);
}

static json_t *
header_json(const struct explain_header *h)
{
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];

	if (h->family == 0)
		return json_null();
	return json_pack("{s:s, s:i, s:s, s:i, s:s, s:i, s:i}", "src", ip_addr_format(&h->src, src), "sport",
		(int)h->sport, "dst", ip_addr_format(&h->dst, dst), "dport", (int)h->dport, "protocol",
		proto_name(h->proto), "ttl", (int)h->ttl, "size", (int)h->size);
}

static struct explain_header
header_of_probe(const struct probe *p)
{
	return (struct explain_header){
		.src = p->src,
		.dst = p->dst,
		.sport = p->sport,
		.dport = p->dport,
		.family = ip_addr_is_v4(&p->dst) ? 4 : 6,
		.proto = p->proto,
		.tcp_flags = p->tcp_flags,
		.ttl = PROBE_TTL,
		.size = p->size,
	};
}

/* Whose worker did this part of the way. */
static const char *
half_name(const struct explain_packet *packet, const struct explain_output *run, unsigned half)
{
	if (half == 0)
		return packet->sender == SENDER_REMOTE || packet->sender == SENDER_OUTSIDE ? "uplink"
											   : "sender";
	return half == 1 && run->is_steered ? "flow" : "receiver";
}

static json_t *
steps_json(const struct explain_context *c, const struct explain_packet *packet,
	const struct explain_output *run)
{
	json_t *steps = json_array();

	for (unsigned half = 0; half < run->n_halves; half++)
		for (unsigned i = 0; i < run->traces[half].n; i++) {
			char where[64], text[PACKET_TEXT_SIZE];

			snprintf(where, sizeof(where),
				run->n_halves == 1 ? "worker %u" : "%2$s's worker %1$u", run->workers[half],
				half_name(packet, run, half));
			names_annotate(&c->names, run->traces[half].notes[i].text, text, sizeof(text));
			json_array_append_new(steps, json_pack("{s:s, s:s, s:s}", "where", where, "stage",
							     run->traces[half].notes[i].stage, "text", text));
		}
	return steps;
}

static const char *
reply_text(enum reply_kind kind)
{
	static const char *const texts[] = {
		[REPLY_NONE] = "",
		[REPLY_ARP] = "an ARP reply",
		[REPLY_NEIGHBOUR] = "a neighbour advertisement",
		[REPLY_ECHO] = "an echo reply",
		[REPLY_DNS] = "a DNS answer",
		[REPLY_RESET] = "a TCP reset: the connection is refused",
		[REPLY_TOO_BIG] = "an ICMP error: the packet is too big",
		[REPLY_TTL] = "an ICMP error: time exceeded",
		[REPLY_UNREACHABLE] = "an ICMP error: port unreachable",
	};

	return kind < sizeof(texts) / sizeof(texts[0]) && texts[kind] != NULL ? texts[kind] : "an answer";
}

/* Where it goes, in one line. */
static void
print_summary(const struct explain_context *c, const struct explain_output *run, char *text, size_t size)
{
	char name[NAME_TEXT_SIZE], pieces[32] = "";

	if (run->n_pieces > 1)
		snprintf(pieces, sizeof(pieces), ", cut into %u pieces", run->n_pieces);
	switch (run->verdict) {
	case VERDICT_DROP:
		snprintf(text, size, "drop, %s: %s", drop_reason_label(run->drop_reason),
			drop_reason_help(run->drop_reason));
		return;
	case VERDICT_REPLY:
		snprintf(text, size, "reply, the sender gets %s", reply_text(run->reply));
		return;
	case VERDICT_PUNT:
		snprintf(text, size, "punt, to the stack of this node%s", pieces);
		return;
	default:
		break;
	}
	if (run->vtep != FDB_NONE)
		snprintf(text, size, "forward, through the tunnel to node %s%s",
			names_of_vtep(&c->names, run->vtep, name), pieces);
	else
		snprintf(text, size, "forward, to %s by port %u%s",
			names_of_port(&c->names, run->out_port, name), run->out_port, pieces);
}

/* What policies in audit mode would have made of it, before anything else did. */
static void
add_would_drop(const struct explain_output *run, char *text, size_t size)
{
	size_t len = strlen(text);

	if (run->would_drop != DROP_NONE)
		snprintf(text + len, size - len, "; would be dropped (policy.mode: audit), %s: %s",
			drop_reason_label(run->would_drop), drop_reason_help(run->would_drop));
}

static json_t *
would_drop_json(const struct explain_output *run)
{
	if (run->would_drop == DROP_NONE)
		return json_null();
	return json_pack("{s:s, s:s}", "reason", drop_reason_label(run->would_drop), "help",
		drop_reason_help(run->would_drop));
}

static json_t *
out_json(const struct explain_context *c, const struct explain_output *run)
{
	char name[NAME_TEXT_SIZE], vtep[IP_ADDR_STRLEN] = "";

	if (run->verdict == VERDICT_DROP || is_left_to_stack(run))
		return json_null();
	if (run->vtep == FDB_NONE)
		return json_pack("{s:i, s:s, s:n}", "port", (int)run->out_port, "name",
			names_of_port(&c->names, run->out_port, name), "vtep");
	ip_addr_format(&c->names.tables->fdb->entries[run->vtep].vtep, vtep);
	return json_pack("{s:i, s:s, s:s}", "port", (int)run->out_port, "name",
		names_of_vtep(&c->names, run->vtep, name), "vtep", vtep);
}

/* The packet as it leaves, in words; "" when it does not. */
static void
print_result(const struct explain_context *c, const struct explain_output *run, char *text, size_t size)
{
	char plain[PACKET_TEXT_SIZE], src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];
	size_t len;

	*text = '\0';
	if (run->verdict == VERDICT_DROP || run->result.family == 0)
		return;
	print_header(plain, sizeof(plain), &run->result);
	len = strlen(plain);
	if (run->outer.family != 0)
		snprintf(plain + len, sizeof(plain) - len, ", in VXLAN %s -> %s",
			ip_addr_format(&run->outer.src, src), ip_addr_format(&run->outer.dst, dst));
	names_annotate(&c->names, plain, text, size);
}

static const char *
hint_of(const struct explain_context *c, const struct explain_packet *packet,
	const struct explain_service *service, const struct explain_output *run, char *text, size_t size)
{
	const char *hint;

	if (run->verdict == VERDICT_FORWARD || (run->verdict == VERDICT_PUNT && !is_left_to_stack(run))) {
		hint = run->would_drop == DROP_NONE ? NULL : explain_hint(run->would_drop);
		return hint == NULL ? "" : hint;
	}
	if (explain_service_hint(c, packet, service, text, size))
		return text;
	hint = run->verdict == VERDICT_DROP ? explain_hint(run->drop_reason) : NULL;
	if (packet->sender == SENDER_OUTSIDE && run->drop_reason == DROP_SPOOFED_SOURCE)
		hint = "what comes from outside has no address of a pod, a service or this node, and none "
		       "that "
		       "an answer could not reach";
	return hint == NULL ? "" : hint;
}

static json_t *
from_json(const struct explain_context *c, const struct explain_packet *packet)
{
	static const char *const kinds[] = {
		[SENDER_POD] = "pod",
		[SENDER_HOST] = "host",
		[SENDER_REMOTE] = "remote",
		[SENDER_OUTSIDE] = "outside",
	};
	char name[NAME_TEXT_SIZE], addr[IP_ADDR_STRLEN];

	names_of_addr(&c->names, &packet->probe.src, name);
	return json_pack("{s:s, s:s, s:s, s:i, s:i}", "kind", kinds[packet->sender], "name", name, "address",
		ip_addr_format(&packet->probe.src, addr), "port", (int)packet->in_port, "worker",
		(int)packet->worker);
}

static json_t *
to_json(const struct explain_context *c, const struct probe *p)
{
	char name[NAME_TEXT_SIZE], addr[IP_ADDR_STRLEN];

	names_of_addr(&c->names, &p->dst, name);
	return json_pack("{s:s, s:i, s:s, s:s}", "address", ip_addr_format(&p->dst, addr), "port",
		(int)p->dport, "protocol", proto_name(p->proto), "name", name);
}

static json_t *
answer_json(const struct explain_context *c, const struct explain_packet *packet,
	const struct explain_output *run)
{
	char plain[PACKET_TEXT_SIZE], asked[PACKET_TEXT_SIZE], result[PACKET_TEXT_SIZE],
		summary[PACKET_TEXT_SIZE];
	char hint[PACKET_TEXT_SIZE];
	struct explain_header sent = header_of_probe(&packet->probe);
	struct explain_service service = explain_service_find(c, packet);
	bool is_drop = run->verdict == VERDICT_DROP;

	print_header(plain, sizeof(plain), &sent);
	names_annotate(&c->names, plain, asked, sizeof(asked));
	print_result(c, run, result, sizeof(result));
	print_summary(c, run, summary, sizeof(summary));
	add_would_drop(run, summary, sizeof(summary));
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o}",
		"packet", asked, "from", from_json(c, packet), "to", to_json(c, &packet->probe), "steps",
		steps_json(c, packet, run), "policies", explain_policies_json(c, run), "advice",
		explain_advice_json(c, run), "service", explain_service_json(c, &service), "verdict",
		verdict_label(run->verdict), "drop_reason",
		is_drop ? drop_reason_label(run->drop_reason) : "", "help",
		is_drop ? drop_reason_help(run->drop_reason) : "", "would_drop", would_drop_json(run), "hint",
		hint_of(c, packet, &service, run, hint, sizeof(hint)), "summary", summary, "rewritten",
		result, "after", header_json(&run->result), "tunnel", header_json(&run->outer), "out",
		out_json(c, run));
}

/* Workers would drop what is not for them, but it does not get there: the uplink's program (xdp/uplink.bpf.c) lets it pass
 * to the node's stack. */
static void
leave_to_stack(const struct explain_packet *packet, struct explain_output *run)
{
	char addr[IP_ADDR_STRLEN];

	if (packet->sender != SENDER_OUTSIDE || run->verdict != VERDICT_DROP ||
		run->drop_reason != DROP_NOT_OURS)
		return;
	run->verdict = VERDICT_PUNT;
	run->out_port = PORTS_MAX;
	run->vtep = FDB_NONE;
	run->traces[0].n = 0;
	trace_note(&run->traces[0], "uplink",
		"%s port %u is nothing that is reachable from outside: the uplink's program leaves it to the "
		"node's stack",
		ip_addr_format(&packet->probe.dst, addr), packet->probe.dport);
}

void
explain_answer(const struct explain_context *c, const struct question *q, struct admin_reply *reply)
{
	static uint8_t room[PROBE_OUTER_MAX + EXPLAIN_FRAME_MAX]; /* the control thread's alone */
	struct explain_packet packet;
	struct explain_output *run;
	uint8_t *frame = room + PROBE_OUTER_MAX;
	uint16_t len;
	int rc;

	if (!explain_resolve(c, q, &packet, reply))
		return;
	run = malloc(sizeof(*run));
	if (run == NULL) {
		admin_fail(reply, 500, NULL, "out of memory");
		return;
	}
	len = probe_build(&packet.probe, frame);
	if (packet.sender == SENDER_REMOTE)
		frame = probe_encap(&packet.tunnel, frame, &len);
	rc = explain_run(
		&(struct explain_input){
			.workers = c->workers,
			.n_workers = c->n_workers,
			.tables = c->names.tables,
			.in_port = packet.in_port,
			.origin = packet.sender == SENDER_POD    ? ORIGIN_POD
				  : packet.sender == SENDER_HOST ? ORIGIN_HOST
								 : ORIGIN_UPLINK,
			.worker = packet.worker,
			.frame = frame,
			.len = len,
		},
		run);
	if (rc != 0)
		admin_fail(reply, 500, NULL, "the packet could not be run: %s", strerror(-rc));
	else {
		leave_to_stack(&packet, run);
		reply->json = answer_json(c, &packet, run);
	}
	free(run);
}
