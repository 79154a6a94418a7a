/* SPDX-License-Identifier: MIT
 *
 * Packets with descriptors between parent and server. A packet is a number and a text; what is
 * malformed or unknown is not of this program, and is taken for the end of the channel.
 */
#include "daemon/channel.h"

#include "sys/file.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union descriptor_room {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

bool channel_pair(int ends[2], struct why *why)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0)
		return true;
	return why_errno(why, "channel to the server");
}

static bool channel_wait(int channel, short events, int wait_ms)
{
	struct pollfd p = { .fd = channel, .events = events };
	int n;

	do
		n = poll(&p, 1, wait_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

bool channel_send(int channel, enum packet_type type, const char *text, int fd)
{
	uint32_t number = type;
	size_t length = text ? strnlen(text, PACKET_TEXT - 1) : 0;
	struct iovec parts[2] = { { &number, sizeof number }, { (char *)text, length } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	union descriptor_room room = { 0 };

	if (fd >= 0) {
		message.msg_control = &room;
		message.msg_controllen = sizeof room;
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&room.header), &fd, sizeof fd);
	}
	while (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN)
			channel_wait(channel, POLLOUT, -1);
		else if (errno != EINTR)
			return false;
	}
	return true;
}

static int descriptor_of(struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		c->cmsg_len != CMSG_LEN(sizeof fd))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

enum channel_state channel_receive(int channel, struct packet *packet, int wait_ms)
{
	struct iovec parts[2] = { { &packet->type, sizeof packet->type },
		{ packet->text, PACKET_TEXT - 1 } };
	union descriptor_room room = { 0 };
	struct msghdr message = { .msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &room,
		.msg_controllen = sizeof room };
	ssize_t n;

	if (wait_ms != 0 && !channel_wait(channel, POLLIN, wait_ms))
		return CHANNEL_EMPTY;
	do
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_GONE;
	packet->fd = descriptor_of(&message);
	if ((size_t)n < sizeof packet->type || (message.msg_flags & MSG_TRUNC)) {
		fd_close(&packet->fd);
		return CHANNEL_GONE;
	}
	packet->text[(size_t)n - sizeof packet->type] = '\0';
	return CHANNEL_PACKET;
}
