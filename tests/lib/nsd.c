/* SPDX-License-Identifier: MIT
 *
 * Starts nsd in the foreground with a folder of its own and asks it until it answers. The
 * port is one the kernel just gave; should somebody else have taken it since, another is tried.
 */
#include "tests/lib/nsd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "nsd fixture: %s: %s\n", what, strerror(errno));
	abort();
}

/* ---- programs ----------------------------------------------------------------------------- */

/* Its first line of output, without LF, in `line` (may be NULL). */
static void run(const char *folder, char *line, size_t size, const char *const *words)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t n;

	need(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (chdir(folder) == 0)
			execvp(words[0], (char *const *)(uintptr_t)words);
		_exit(127);
	}
	close(ends[1]);
	while (line && len < size - 1 && (n = read(ends[0], line + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (line)
		line[len] = '\0', line[strcspn(line, "\n")] = '\0';
	close(ends[0]);
	need(waitpid(pid, &status, 0) == pid && status == 0, words[0]);
}

static bool installed(const char *program)
{
	static const char *const places[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin",
		"/usr/local/bin" };
	char path[128];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(path, sizeof path, "%s/%s", places[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* ---- files -------------------------------------------------------------------------------- */

static FILE *file_open(const struct nsd *n, const char *name, const char *suffix, const char *mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s%s", n->folder, name, suffix);
	f = fopen(path, mode);
	need(f, path);
	return f;
}

static void append_file(const struct nsd *n, FILE *to, const char *name, const char *suffix)
{
	FILE *from = file_open(n, name, suffix, "r");
	int c;

	while ((c = getc(from)) != EOF)
		putc(c, to);
	fclose(from);
}

/* Makes NAME.zone.signed, and adds the public key to the anchors. */
static void sign(const struct nsd *n, const char *name)
{
	char key[128], zone[128];
	FILE *anchor;

	snprintf(zone, sizeof zone, "%s.zone", name);
	run(n->folder, key, sizeof key,
		(const char *const[]){ "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", name, NULL });
	run(n->folder, NULL, 0,
		(const char *const[]){ "ldns-signzone", "-n", "-o", name, zone, key, NULL });
	anchor = fopen(n->anchor, "a");
	need(anchor, n->anchor);
	append_file(n, anchor, key, ".key");
	fclose(anchor);
}

static void write_zone(const struct nsd *n, const struct nsd_zone *zone)
{
	FILE *f;

	if (!zone->text)
		return;
	f = file_open(n, zone->name, ".zone", "w");
	fprintf(f,
		"$ORIGIN %s.\n$TTL 300\n"
		"@ SOA ns.%s. hostmaster.%s. 1 3600 600 86400 60\n"
		"@ NS ns.%s.\n%s",
		zone->name, zone->name, zone->name, zone->name, zone->text);
	fclose(f);
	if (zone->sign)
		sign(n, zone->name);
}

static void write_conf(const struct nsd *n, const struct nsd_zone *zones, unsigned count)
{
	FILE *f = file_open(n, "nsd", ".conf", "w");

	fprintf(f,
		"server:\n"
		"  ip-address: 127.0.0.1@%u\n  port: %u\n  username: \"\"\n  chroot: \"\"\n"
		"  zonesdir: \"%s\"\n  pidfile: \"%s/pid\"\n  xfrdfile: \"%s/xfrd\"\n"
		"  zonelistfile: \"%s/list\"\n  xfrdir: \"%s\"\n  database: \"\"\n"
		"  server-count: 1\n  rrl-ratelimit: 0\n"
		"remote-control:\n  control-enable: no\n",
		n->port, n->port, n->folder, n->folder, n->folder, n->folder, n->folder);
	for (unsigned i = 0; i < count; i++)
		fprintf(f, "zone:\n  name: %s\n  zonefile: %s.zone%s\n", zones[i].name,
			zones[i].name, zones[i].sign ? ".signed" : "");
	fclose(f);
}

/* ---- the server --------------------------------------------------------------------------- */

static unsigned short free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
			getsockname(fd, (struct sockaddr *)&a, &len) == 0,
		"port");
	close(fd);
	return ntohs(a.sin_port);
}

static void spawn(struct nsd *n)
{
	char conf[128];

	snprintf(conf, sizeof conf, "%s/nsd.conf", n->folder);
	n->pid = fork();
	need(n->pid >= 0, "fork");
	if (n->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp("nsd",
			(char *const[]){ (char *)"nsd", (char *)"-d", (char *)"-c", conf, NULL });
		_exit(127);
	}
}

/* Asks until something comes back; false when the server has ended instead. */
static bool answers(struct nsd *n)
{
	static const char question[] = "\0\1\0\0\0\1\0\0\0\0\0\0\0\0\6\0\1"; /* ". SOA" */
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(n->port) };
	char answer[512];
	bool there = false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "ask");
	while (!there && waitpid(n->pid, NULL, WNOHANG) == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t ignored = send(fd, question, sizeof question - 1, 0);
		(void)ignored;
		there = poll(&p, 1, 5) == 1 && recv(fd, answer, sizeof answer, 0) > 0;
		if (!there)
			poll(NULL, 0, 5); /* refused: at once */
	}
	close(fd);
	return there;
}

bool nsd_start(struct nsd *n, const struct nsd_zone *zones, unsigned count)
{
	*n = (struct nsd){ 0 };
	if (!installed("nsd"))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (zones[i].sign && !installed("ldns-signzone"))
			return false;
	snprintf(n->folder, sizeof n->folder, "%s/tmail-nsd-XXXXXX", P_tmpdir);
	need(mkdtemp(n->folder), n->folder);
	snprintf(n->anchor, sizeof n->anchor, "%s/anchor", n->folder);
	for (unsigned i = 0; i < count; i++)
		write_zone(n, &zones[i]);
	do {
		n->port = free_port();
		write_conf(n, zones, count);
		spawn(n);
	} while (!answers(n));
	snprintf(n->server, sizeof n->server, "127.0.0.1@%u", n->port);
	return true;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

void nsd_stop(struct nsd *n)
{
	if (n->pid <= 0)
		return;
	kill(n->pid, SIGTERM);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->pid = 0;
	nftw(n->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
