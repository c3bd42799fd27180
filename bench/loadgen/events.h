/* Waits for epoll's events of connections, and handles them. */
#ifndef EVENTS_H
#define EVENTS_H

/* Wait up to `timeout_ms`, or with --spin not at all, and handle all events found. */
void events_wait(int timeout_ms);

#endif
