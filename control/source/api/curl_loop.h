/* libcurl's multi interface on the event loop: its sockets and its time. Nothing blocks. Control thread only. */
#ifndef RINGWAY_SOURCE_CURL_LOOP_H
#define RINGWAY_SOURCE_CURL_LOOP_H

#include <curl/curl.h>

struct loop;
struct loop_timer;

struct curl_loop {
	struct loop *loop;
	CURLM *multi; /* for curl_multi_add_handle() and curl_multi_remove_handle() */
	struct loop_timer *timer;
	void (*done)(CURL *easy, CURLcode code); /* a transfer has ended; it may be removed, as others may */
};

/* Stays where it is until the end. 0; -ENOMEM, with nothing to end. */
int curl_loop_init(struct curl_loop *l, struct loop *loop, void (*done)(CURL *easy, CURLcode code));

/* All handles have been removed. Zero is fine. */
void curl_loop_fini(struct curl_loop *l);

#endif
