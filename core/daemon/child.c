/* SPDX-License-Identifier: MIT
 *
 * Starting a server: fork and exec of this very program, with the channel at a known
 * descriptor; everything else goes over the channel.
 */
#include "daemon/child.h"

#include "daemon/daemon.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

bool child_setup_init(struct child_setup *setup, struct why *why)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	if (n <= 0 || (size_t)n >= sizeof path)
		return why_errno(why, "/proc/self/exe");
	setup->program = str_dup_c(str_make(path, (size_t)n));
	return true;
}

void child_setup_free(struct child_setup *setup)
{
	free(setup->program);
	setup->program = NULL;
}

/* A page for both processes. -1 with why. */
static int page_make(struct running_page **page, struct why *why)
{
	int fd = memfd_create("tmail-running", MFD_CLOEXEC);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof **page) == 0)
		memory = mmap(NULL, sizeof **page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED) {
		*page = memory;
		return fd;
	}
	why_errno(why, "page of what the server runs");
	fd_close(&fd);
	return -1;
}

/* In the new process: nothing but system calls between fork and exec. */
static void child_exec(const struct child_setup *setup, int channel)
{
	const char *const words[] = { "tmail", "-c", setup->file, SERVER_WORD, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (channel == SERVER_CHANNEL)
		fd_set_cloexec(channel, false);
	else
		dup2(channel, SERVER_CHANNEL);
	execv(setup->program, (char *const *)words); /* which changes none of them */
	_exit(127);
}

void child_files(const struct child *c, const struct tls_settings *tls, enum packet_type last)
{
	struct tls_files files = { 0 };

	tls_files_open(&files, tls);
	for (size_t i = 0; i < files.count; i++)
		channel_send(c->channel, PACKET_FILE, files.item[i].path, files.item[i].fd);
	tls_files_free(&files);
	channel_send(c->channel, last, NULL, -1);
}

static void child_brief(
	const struct child *c, const struct child_setup *setup, int page, bool beside)
{
	char watchdog[24];

	snprintf(watchdog, sizeof watchdog, "%" PRId64, setup->watchdog);
	channel_send(c->channel, PACKET_LOCK, NULL, setup->lock);
	channel_send(c->channel, PACKET_CONTROL, NULL, setup->control);
	channel_send(c->channel, PACKET_PAGE, NULL, page);
	if (setup->watchdog)
		channel_send(c->channel, PACKET_WATCHDOG, watchdog, -1);
	if (*setup->crashed)
		channel_send(c->channel, PACKET_CRASHED, setup->crashed, -1);
	for (size_t i = 0; i < setup->sockets->count; i++)
		channel_send(c->channel, PACKET_SOCKET, setup->sockets->item[i].address,
			setup->sockets->item[i].fd);
	child_files(c, setup->tls, beside ? PACKET_BESIDE : PACKET_BEGIN);
}

bool child_start(struct child *c, const struct child_setup *setup, bool beside, struct why *why)
{
	int ends[2], page;

	*c = (struct child){ .channel = -1, .begun = clock_mono() };
	page = page_make(&c->page, why);
	if (page < 0)
		return false;
	if (!channel_pair(ends, why)) {
		close(page);
		child_free(c);
		return false;
	}
	c->pid = fork();
	if (c->pid == 0)
		child_exec(setup, ends[1]);
	close(ends[1]);
	c->channel = ends[0];
	if (c->pid < 0) {
		why_errno(why, "starting the server");
		close(page);
		child_free(c);
		return false;
	}
	child_brief(c, setup, page, beside);
	close(page);
	return true;
}

void child_stop(struct child *c, bool now)
{
	if (c->pid <= 0)
		return;
	if (!c->ready || c->channel < 0)
		kill(c->pid, SIGTERM);
	else
		channel_send(c->channel, now ? PACKET_STOP_NOW : PACKET_STOP, NULL, -1);
}

void child_kill(struct child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

static void crash_log(const struct child *c, int number, struct why *why)
{
	const struct running_slot *slot = running_culprit(c->page);
	const char *said = c->page->said;
	char message[ID_TEXT + 1] = "";

	if (slot && !id_is_zero(slot->message))
		id_text(slot->message, message);
	log_event(LEVEL_ERROR, NULL, "server_crashed", LOG_NUM("pid", c->pid),
		LOG_NUM("signal", number), LOG_C("name", strsignal(number)),
		LOG_IF(*said, LOG_C("said", said)), LOG_IF(slot, LOG_C("module", slot->instance)),
		LOG_IF(slot, LOG_NUM("point", slot->point)),
		LOG_IF(*message, LOG_C("message", message)));
	why_set(why, "process %d: %s%s%s%s%s%s%s", (int)c->pid, strsignal(number),
		*said ? ": " : "", said, slot ? ", in module " : "", slot ? slot->instance : "",
		*message ? ", over message " : "", message);
}

void child_autopsy(const struct child *c, int status, struct why *why)
{
	if (WIFSIGNALED(status)) {
		crash_log(c, WTERMSIG(status), why);
		return;
	}
	log_event(LEVEL_ERROR, NULL, "server_ended", LOG_NUM("pid", c->pid),
		LOG_NUM("status", WEXITSTATUS(status)));
	why_set(why, "process %d ended with status %d", (int)c->pid, WEXITSTATUS(status));
}

void child_free(struct child *c)
{
	fd_close(&c->channel);
	if (c->page)
		munmap(c->page, sizeof *c->page);
	*c = (struct child){ .channel = -1 };
}
