/* SPDX-License-Identifier: MIT
 *
 * TLS is the library's own: a session is never resumed, each handshake is a full one, and no
 * certificate is judged. One read takes what the kernel has, however many records that are.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int anybody(X509_STORE_CTX *chain, void *ctx)
{
	(void)chain;
	(void)ctx;
	return 1;
}

static SSL_CTX *context(void)
{
	static SSL_CTX *ctx;

	if (ctx)
		return ctx;
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx) {
		fprintf(stderr, "load: no TLS\n");
		exit(2);
	}
	SSL_CTX_set_cert_verify_callback(ctx, anybody, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

bool wire_open(struct wire *w, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	*w = (struct wire){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	if (w->fd < 0)
		return false;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(w->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS)
		return true;
	wire_close(w);
	return false;
}

/* What an answer of the library that is no success means. */
static int judge(struct wire *w, int answer)
{
	switch (SSL_get_error(w->ssl, answer)) {
	case SSL_ERROR_WANT_READ:
		return WIRE_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		w->writing = true;
		return WIRE_AGAIN;
	default:
		return WIRE_GONE;
	}
}

int wire_secure(struct wire *w)
{
	int answer;

	if (!w->ssl) {
		w->ssl = SSL_new(context());
		if (!w->ssl || !SSL_set_fd(w->ssl, w->fd))
			return WIRE_GONE;
	}
	w->writing = false;
	answer = SSL_connect(w->ssl);
	return answer == 1 ? 1 : judge(w, answer);
}

ssize_t wire_send(struct wire *w, const char *from, size_t length)
{
	size_t sent;
	ssize_t n;

	w->writing = false;
	if (!w->ssl) {
		n = send(w->fd, from, length, MSG_NOSIGNAL);
		w->writing = n < 0 && errno == EAGAIN;
		return n >= 0 ? n : w->writing ? WIRE_AGAIN : WIRE_GONE;
	}
	return SSL_write_ex(w->ssl, from, length, &sent) ? (ssize_t)sent : judge(w, 0);
}

ssize_t wire_receive(struct wire *w, char *to, size_t room)
{
	size_t got;
	ssize_t n;

	if (!w->ssl) {
		n = recv(w->fd, to, room, 0);
		return n > 0 ? n : n < 0 && errno == EAGAIN ? WIRE_AGAIN : WIRE_GONE;
	}
	return SSL_read_ex(w->ssl, to, room, &got) ? (ssize_t)got : judge(w, 0);
}

bool wire_holds(const struct wire *w)
{
	return w->ssl && SSL_has_pending(w->ssl);
}

void wire_close(struct wire *w)
{
	SSL_free(w->ssl);
	w->ssl = NULL;
	close(w->fd);
}
