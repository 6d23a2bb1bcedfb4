/* loopback: sockets between a fuzz target and what it fuzzes, both in one process */
#ifndef FUZZ_LOOPBACK_H
#define FUZZ_LOOPBACK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is sent over the loopback has usually arrived when send() returns, but the kernel does not promise it:
 * it may put off the work, or leave it to another processor, and it drops packets where too many wait. Here
 * is what waits for that. Whatever cannot be had within seconds ends the process with a line that says so.
 */

#define LOOPBACK_MAX_FILES 128
#define LOOPBACK_TEXT_BYTES 16

typedef struct loopback_files {
    bool is_open[LOOPBACK_MAX_FILES];
} loopback_files_t;

/**
 * At an address of 127.0.0.0/8 of this process's own, so that nobody else's client comes by mistake.
 * @param receive_bytes  of those who are accepted; 0 = as usual. @param backlog  < 0: nobody listens there
 */
int loopback_open(struct sockaddr_in *address, int receive_bytes, int backlog);

/** @param text  gets the address, without the port */
void loopback_print(const struct sockaddr_in *address, char text[LOOPBACK_TEXT_BYTES]);

/** Blocking; each client from another address: a port of one is not free again at once. */
int loopback_connect(const struct sockaddr_in *address, int receive_bytes);

/** Waits for `client`, which is connected by loopback_connect, and turns others away. */
int loopback_accept(int listener, int client);

/** Waits until so many bytes can be read. */
void loopback_await(int fd, size_t bytes);

/**
 * @param sum  what has come and gone until now, to be compared with that of the call before: what has arrived
 *             between its last turn and the call is not on its way, but the event loop does not know it
 * either
 * @return whether something is on its way between two sockets of this process
 */
bool loopback_is_in_flight(uint64_t *sum);

void loopback_look_at_files(loopback_files_t *files);

/** @return the first number that is open in only one of both; -1 = there is none */
int loopback_compare_files(const loopback_files_t *one, const loopback_files_t *other);

#endif
