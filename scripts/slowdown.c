/*
 * Slows a program down by a share of its own CPU time, and counts both:
 *
 *   cc -O2 -shared -fPIC -o slowdown.so scripts/slowdown.c -ldl -lpthread
 *   LD_PRELOAD=./slowdown.so SLOWDOWN_PERCENT=5 SLOWDOWN_REPORT=FILE PROGRAM
 *
 * With SLOWDOWN_THREAD=1 a thread of its own burns the share, every other millisecond: for a
 * program that makes its system calls itself, as those in Go do. Such a program appends no line.
 *
 * Each epoll_wait first burns the share of the CPU time that the whole process has used since
 * the last one. At its end the program appends a line to FILE: its own CPU time and the burnt
 * one, in nanoseconds. With a share of 0 the library costs as much as with any other, so that
 * two programs under it differ by the share alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

typedef int wait_function(int, struct epoll_event *, int, int);

static pthread_mutex_t burning = PTHREAD_MUTEX_INITIALIZER;
/* CPU time up to which the program has burnt its share, and CPU time burnt so far. */
static uint64_t settled, burnt;
static double share;
static wait_function *real_epoll_wait;

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Burns the share of the CPU time that the process has used since the last time. */
static void burn(void) {
    uint64_t used = now(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t debt = (uint64_t)((double)(used - settled) * share);
    uint64_t from = now(CLOCK_THREAD_CPUTIME_ID), spent;
    do
        spent = now(CLOCK_THREAD_CPUTIME_ID) - from;
    while (spent < debt);
    burnt += spent;
    settled = used + spent;
}

static void *keep_burning(void *unused) {
    for (;;) {
        usleep(2000);
        burn();
    }
    return unused;
}

__attribute__((constructor)) static void begin(void) {
    const char *percent = getenv("SLOWDOWN_PERCENT");
    share = percent ? atof(percent) / 100.0 : 0.0;
    real_epoll_wait = (wait_function *)dlsym(RTLD_NEXT, "epoll_wait");
    pthread_t burner;
    if (getenv("SLOWDOWN_THREAD") && pthread_create(&burner, NULL, keep_burning, NULL) != 0)
        abort();
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("SLOWDOWN_REPORT");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    uint64_t own = now(CLOCK_PROCESS_CPUTIME_ID) - burnt;
    fprintf(file, "%llu %llu\n", (unsigned long long)own, (unsigned long long)burnt);
    fclose(file);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout) {
    /* One thread at a time burns for the whole process. */
    if (pthread_mutex_trylock(&burning) == 0) {
        burn();
        pthread_mutex_unlock(&burning);
    }
    return real_epoll_wait(fd, events, most, timeout);
}
