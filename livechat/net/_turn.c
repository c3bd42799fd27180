/*
 * turn: wait for events, and read what has arrived on many connections.
 *
 * Theory.  Of what clients send nearly all is one small text frame in one TLS record.  To read
 * it in Python takes five times as long as OpenSSL needs for it.  Here the events of a turn of
 * the reactor are handled in one call, in four steps:
 *
 *     wait      without the GIL: epoll_wait
 *     gather    with it: look up the connection of each event, and hold those to be read
 *     read      without it: SSL_read into the arena; no Python object is looked at
 *     split     with it: whole, small text frames become bytes without their masks
 *
 * Only wires that are open, and whose `longest` is set, are read here: the protocol hears whole
 * frames, and the next byte begins one.  Everything else is reported as it came: other events, the
 * bytes from the first unusual frame on, and that OpenSSL has something to tell but data.
 *
 * Threads.  As for writing: the reactor's thread alone touches connections and calls this, and a
 * wire that is being read from refuses to let go of its SSL.
 *
 * Bounds.  A connection gives MOST_RECEIVED bytes and a record at most, a turn ARENA bytes.
 * Connections for which the arena has no room are reported unread, and read in the ordinary way:
 * were they left to the next turn, others that always have much could come first for ever.
 */

#include "_fast.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum {
    MOST_EVENTS = 1024,
    /* The most plaintext of a TLS record, and so of one call. */
    RECORD = 16384,
    MOST_RECORDS = 64,
    MOST_RECEIVED = 64 * 1024,
    ARENA = 1024 * 1024,
    /* SSL_ERROR_WANT_READ */
    WANT_READ = 2,
};

/* A connection that is read. */
typedef struct {
    Wire *wire; /* held */
    int fd;
    char *data; /* in the arena; NULL: there was no room */
    int size;
    char ended; /* OpenSSL has said something else than that there is no more */
} Read;

/* The turn that goes on: there is one at a time. */
static struct {
    int busy;
    struct epoll_event events[MOST_EVENTS];
    Read reads[MOST_EVENTS];
    char arena[ARENA];
} now;

/* ---- read: records to the arena ---- */

static int has_more(int fd)
{
    int bytes = 0;

    return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Read the records that have arrived, up to the bounds. */
static void receive(Read *read)
{
    void *ssl = read->wire->address;

    for (int records = 0; records < MOST_RECORDS; records++) {
        int result = openssl.read(ssl, read->data + read->size, RECORD);

        if (result <= 0) {
            read->ended = openssl.get_error(ssl, result) != WANT_READ;
            if (read->ended)
                openssl.clear_error();
            break;
        }
        read->size += result;
        /* OpenSSL reads no further than a record.  To ask the kernel whether there is more
           costs less than to have OpenSSL find that there is not. */
        if (read->size >= MOST_RECEIVED || !has_more(read->fd))
            break;
    }
}

/* Runs without the GIL. */
static void receive_all(Read *reads, int count)
{
    int used = 0;

    for (int i = 0; i < count; i++)
        if (ARENA - used >= MOST_RECEIVED + RECORD) {
            reads[i].data = now.arena + used;
            receive(&reads[i]);
            used += reads[i].size;
        }
}

/* ---- turn ---- */

static int is_read_here(PyObject *each, uint32_t event)
{
    Wire *wire = (Wire *)each;

    return event == EPOLLIN && PyObject_TypeCheck(each, wire_type) && wire->longest > 0 &&
           wire->open && wire->address;
}

static int append_event(PyObject *others, int fd, uint32_t event)
{
    PyObject *pair = Py_BuildValue("iI", fd, (unsigned)event);
    int failed = !pair || PyList_Append(others, pair) < 0;

    Py_XDECREF(pair);
    return failed ? -1 : 0;
}

static void let_go(int count)
{
    for (int i = 0; i < count; i++) {
        now.reads[i].wire->busy--;
        Py_DECREF((PyObject *)now.reads[i].wire);
    }
}

/*
 * Note and hold the connections to be read, and list the other events.  Those of descriptors
 * that the reactor does not know any more are dropped.
 *
 * Return the connections' number; -1 with an exception, and then nothing is held.
 */
static int gather(PyObject *selectables, int events, PyObject *others)
{
    int count = 0;

    for (int i = 0; i < events; i++) {
        int fd = now.events[i].data.fd;
        PyObject *number = PyLong_FromLong(fd);
        PyObject *each = number ? PyDict_GetItemWithError(selectables, number) : NULL;

        Py_XDECREF(number);
        if (each && is_read_here(each, now.events[i].events)) {
            Py_INCREF(each);
            now.reads[count] = (Read){(Wire *)each, fd, NULL, 0, 0};
            now.reads[count++].wire->busy++;
        } else if (each ? append_event(others, fd, now.events[i].events) : !!PyErr_Occurred()) {
            let_go(count);
            return -1;
        }
    }
    return count;
}

/* (wire, frames, rest, ended) */
static PyObject *result_of(const Read *read, long most)
{
    PyObject *frames = PyList_New(0), *rest = NULL, *all = NULL;
    Py_ssize_t used = -1;

    if (frames)
        used = split(frames, read->data, read->size, most, read->wire->longest);
    if (used >= 0)
        rest = PyBytes_FromStringAndSize(read->data + used, read->size - used);
    if (rest)
        all = PyTuple_Pack(4, (PyObject *)read->wire, frames, rest, read->ended ? Py_True : Py_False);
    Py_XDECREF(frames);
    Py_XDECREF(rest);
    return all;
}

/* List the results of connections that have said something; return -1 with an exception. */
static int report(PyObject *results, PyObject *others, int count, long most)
{
    for (int i = 0; i < count; i++) {
        const Read *read = &now.reads[i];
        int failed = 0;

        if (!read->data) {
            failed = append_event(others, read->fd, EPOLLIN);
        } else if (read->size || read->ended) {
            PyObject *result = result_of(read, most);
            failed = result ? PyList_Append(results, result) : -1;
            Py_XDECREF(result);
        }
        if (failed)
            return -1;
    }
    return 0;
}

/* Wait for events; return their number, 0 if a signal came, -1 with an exception. */
static int wait_for_events(int epoll, int milliseconds)
{
    int events, reason;

    Py_BEGIN_ALLOW_THREADS
    events = epoll_wait(epoll, now.events, MOST_EVENTS, milliseconds);
    reason = errno;
    Py_END_ALLOW_THREADS
    if (events >= 0)
        return events;
    if (reason == EINTR)
        return PyErr_CheckSignals() < 0 ? -1 : 0;
    errno = reason;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static int go_through(PyObject *selectables, int events, PyObject *results, PyObject *others,
                      long most)
{
    int failed, count = gather(selectables, events, others);

    if (count < 0)
        return -1;
    if (count) {
        Py_BEGIN_ALLOW_THREADS
        receive_all(now.reads, count);
        Py_END_ALLOW_THREADS
    }
    failed = report(results, others, count, most);
    let_go(count);
    return failed;
}

/* Round up, as Python's own epoll does; negative: without end. */
static int milliseconds_of(double seconds)
{
    double exact = seconds * 1000;

    if (!(exact >= 0))
        return -1;
    if (exact >= INT_MAX)
        return INT_MAX;
    return (int)exact + ((int)exact < exact);
}

/* turn(epoll, selectables, seconds, most) -> (results, others) */
PyObject *turn(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    (void)module;
    if (given != 4 || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "turn(epoll, dict, seconds, most)");
        return NULL;
    }
    int epoll = PyObject_AsFileDescriptor(args[0]);
    if (epoll < 0)
        return NULL;
    double seconds = PyFloat_AsDouble(args[2]);
    long most = PyLong_AsLong(args[3]);
    if (PyErr_Occurred())
        return NULL;
    if (now.busy) {
        PyErr_SetString(PyExc_RuntimeError, "another turn goes on");
        return NULL;
    }
    PyObject *results = PyList_New(0), *others = PyList_New(0), *both = NULL;
    if (results && others) {
        now.busy = 1;
        int events = wait_for_events(epoll, milliseconds_of(seconds));
        if (events >= 0 && !go_through(args[1], events, results, others, most))
            both = PyTuple_Pack(2, results, others);
        now.busy = 0;
    }
    Py_XDECREF(results);
    Py_XDECREF(others);
    return both;
}
