/* SPDX-License-Identifier: MIT */
/*
 * The signalfd of a process. What a signal means is its owner's business; here it only becomes an event.
 */
#include <config.h>

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/must.h>
#include <syncer/base/signals.h>

/* Empties the descriptor into a set of bits, signal n at bit n - 1 (Linux has 64 signals). */
static uint64_t read_pending(int fd)
{
    struct signalfd_siginfo infos[8];
    uint64_t pending = 0;
    ssize_t got;

    while ((got = read(fd, infos, sizeof(infos))) > 0)
        for (size_t i = 0; i < (size_t)got / sizeof(infos[0]); i++)
            if (infos[i].ssi_signo >= 1 && infos[i].ssi_signo <= 64)
                pending |= UINT64_C(1) << (infos[i].ssi_signo - 1);
    return pending;
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct signals *signals = container_of(io, struct signals, io);
    uint64_t pending = read_pending(io->fd);

    (void)events;
    /* A callback may release the struct (not free it): then the rest is of no more interest. */
    for (int signo = 1; signo <= 64 && signals->io.loop; signo++)
        if (pending & UINT64_C(1) << (signo - 1))
            signals->on_signal(signals, signo);
}

int signals_init(struct signals *signals, struct loop *loop, const int *signos, size_t n,
                 void (*on_signal)(struct signals *signals, int signo), struct err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigset_t set;
    int fd;

    *signals = (struct signals){.io.fd = -1, .on_signal = on_signal};
    sigemptyset(&set);
    /* Ignoring is inherited over exec, and a process that ignores SIGCHLD is never told of its children's ends. */
    for (size_t i = 0; i < n; i++)
        must(sigaddset(&set, signos[i]) == 0 && sigaction(signos[i], &standard, NULL) == 0);
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, errno, "signals");
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "signalfd");
    if (loop_io_add(loop, &signals->io, fd, EPOLLIN, on_readable) != 0) {
        err_set_errno(err, errno, "signalfd: epoll");
        fd_close(&fd);
        return -1;
    }
    return 0;
}

/* The signals stay blocked: one that comes late must not end a process that is about to end in order. */
void signals_release(struct signals *signals)
{
    int fd = signals->io.loop ? signals->io.fd : -1;

    loop_io_delete(&signals->io);
    fd_close(&fd);
}

void signals_reset(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t all;

    /* Some numbers can't be set (SIGKILL, SIGSTOP, those of the C library): nothing to be done about them. */
    for (int signo = 1; signo < NSIG; signo++)
        sigaction(signo, &standard, NULL);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
}
