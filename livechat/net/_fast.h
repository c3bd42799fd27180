/* Shared by the files of livechat/net/_fast; _fast.c says how they work. */

#ifndef LIVECHAT_FAST_H
#define LIVECHAT_FAST_H

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* OpenSSL, as pyOpenSSL has it: `setup` is given its functions. */
extern struct openssl {
    int (*write)(void *ssl, const void *data, int size);
    int (*read)(void *ssl, void *data, int size);
    int (*get_error)(const void *ssl, int result);
    void (*clear_error)(void);
    PyObject *address; /* Python's: gives the address of cffi's SSL * */
} openssl;

/* The part of a connection that the loops look at. */
typedef struct {
    PyObject_HEAD
    PyObject *ssl;      /* cffi's object, which owns the SSL; NULL: none */
    void *address;      /* of that SSL */
    Py_ssize_t longest; /* bytes of a text frame that may be read here; 0: none may be */
    char open;          /* what arrives is the protocol's */
    char direct;        /* a write may go to OpenSSL, past the transport's buffer */
    char ready;         /* the protocol lets frames out at once */
    unsigned busy;      /* reads and writes of it that go on */
} Wire;

extern PyTypeObject *wire_type;

/* _frames.c: whole, small frames of *data*, at most *most*, of *longest* bytes each. */
Py_ssize_t split(PyObject *list, const char *data, Py_ssize_t size, long most, Py_ssize_t longest);
PyObject *take(PyObject *module, PyObject *const *args, Py_ssize_t given);

/* _turn.c: wait for events, and read. */
PyObject *turn(PyObject *module, PyObject *const *args, Py_ssize_t given);

#endif
