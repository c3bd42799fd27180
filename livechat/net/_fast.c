/*
 * The loops that a chat server spends its time in: livechat/net/_slow.py in C, name by name.
 *
 * Theory.  A message costs little to make and much to send: one SSL_write for each member of
 * its room, 3 to 4 microseconds, of which the kernel has three quarters.  In Python each costs
 * another, for flags, calls and arguments.  Here a slice of a room is written in one call, in
 * two steps:
 *
 *     gather    with the GIL: look at the flags of each wire, and note its SSL
 *     send      without it: SSL_write to each that is noted; no Python object is looked at
 *
 * Wires that did not take all are reported, and told by the ordinary way, which knows why:
 * what is in doubt is done again there, and no error is explained here.
 *
 * Threads.  Only the reactor's thread touches connections, and it is in here while a slice is
 * written: nobody closes or frees one meanwhile.  Other threads run Python, and may drop what
 * they like: a reference to each wire that is written to is held, and a wire that is being
 * written to refuses to let go of its SSL.
 *
 * Linking.  With nothing: the process has an OpenSSL already, pyOpenSSL's, whose functions
 * `setup` is given.  So the SSL * of its connections fit, and no headers are needed.
 *
 * Bounds.  One slice's notes are allocated and freed in the call.  The statics below are set
 * once, and never grow.  There is one interpreter: the module cannot be loaded into others.
 */

#include "_fast.h"

#include <structmember.h>

#include <limits.h>
#include <stddef.h>

enum {
    /* Bytes that one call sends to one connection. */
    MOST_SENT = 128 * 1024,
    /* By how many a loop is ahead of itself with what it asks memory for: a thousand
       connections are not in the processor's caches when their turn comes. */
    WIRES_AHEAD = 4,
    SSLS_AHEAD = 2,
};

#ifndef __GNUC__
#define __builtin_prefetch(address) ((void)(address))
#endif

/* ---- OpenSSL, as pyOpenSSL has it ---- */

struct openssl openssl;

/* setup(address, SSL_write, SSL_read, SSL_get_error, ERR_clear_error) */
static PyObject *setup(PyObject *module, PyObject *args)
{
    PyObject *address;
    unsigned long long given[4];

    (void)module;
    if (!PyArg_ParseTuple(args, "OKKKK", &address, &given[0], &given[1], &given[2], &given[3]))
        return NULL;
    if (!PyCallable_Check(address)) {
        PyErr_SetString(PyExc_TypeError, "the first argument must be callable");
        return NULL;
    }
    for (int i = 0; i < 4; i++)
        if (!given[i]) {
            PyErr_SetString(PyExc_ValueError, "a function of OpenSSL is at no address");
            return NULL;
        }
    openssl.write = (int (*)(void *, const void *, int))(uintptr_t)given[0];
    openssl.read = (int (*)(void *, void *, int))(uintptr_t)given[1];
    openssl.get_error = (int (*)(const void *, int))(uintptr_t)given[2];
    openssl.clear_error = (void (*)(void))(uintptr_t)given[3];

    PyObject *before = openssl.address;
    Py_INCREF(address);
    openssl.address = address;
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

/* ---- Wire: the part of a connection that the loops look at ---- */

PyTypeObject *wire_type;

static PyMemberDef wire_members[] = {
    {"ssl", T_OBJECT, offsetof(Wire, ssl), READONLY, NULL},
    {"longest", T_PYSSIZET, offsetof(Wire, longest), 0, NULL},
    {"open", T_BOOL, offsetof(Wire, open), 0, NULL},
    {"direct", T_BOOL, offsetof(Wire, direct), 0, NULL},
    {"ready", T_BOOL, offsetof(Wire, ready), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* attach(ssl): read from and write to *ssl* from now on */
static PyObject *wire_attach(PyObject *self, PyObject *ssl)
{
    Wire *wire = (Wire *)self;

    if (!openssl.address) {
        PyErr_SetString(PyExc_RuntimeError, "setup comes first");
        return NULL;
    }
    if (wire->ssl) {
        PyErr_SetString(PyExc_RuntimeError, "the wire has an SSL already");
        return NULL;
    }
    PyObject *number = PyObject_CallFunctionObjArgs(openssl.address, ssl, NULL);
    if (!number)
        return NULL;
    void *address = PyLong_AsVoidPtr(number);
    Py_DECREF(number);
    if (!address) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "there is no SSL at this address");
        return NULL;
    }
    Py_INCREF(ssl);
    wire->ssl = ssl;
    wire->address = address;
    Py_RETURN_NONE;
}

/* detach(): neither read nor write any more; the SSL may be freed */
static PyObject *wire_detach(PyObject *self, PyObject *unused)
{
    Wire *wire = (Wire *)self;

    (void)unused;
    if (wire->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the wire is in use");
        return NULL;
    }
    wire->open = wire->direct = wire->ready = 0;
    wire->longest = 0;
    wire->address = NULL;
    Py_CLEAR(wire->ssl);
    Py_RETURN_NONE;
}

static PyMethodDef wire_methods[] = {
    {"attach", wire_attach, METH_O, NULL},
    {"detach", wire_detach, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int wire_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Wire *)self)->ssl);
    return 0;
}

static int wire_clear(PyObject *self)
{
    Wire *wire = (Wire *)self;

    wire->open = wire->direct = wire->ready = 0;
    wire->longest = 0;
    wire->address = NULL;
    Py_CLEAR(wire->ssl);
    return 0;
}

static void wire_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    wire_clear(self);
    release(self);
    Py_DECREF(type);
}

static PyType_Slot wire_slots[] = {
    {Py_tp_members, wire_members},
    {Py_tp_methods, wire_methods},
    {Py_tp_traverse, wire_traverse},
    {Py_tp_clear, wire_clear},
    {Py_tp_dealloc, wire_dealloc},
    {0, NULL},
};

static PyType_Spec wire_spec = {
    .name = "livechat.net._fast.Wire",
    .basicsize = sizeof(Wire),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = wire_slots,
};

/* ---- write_all: the same bytes to many connections ---- */

/* A write that is to be done. */
typedef struct {
    Wire *wire; /* NULL: nothing is tried */
    void *ssl;
    int sent; /* -1: nothing was tried */
} Write;

static int is_clear(PyObject *each)
{
    Wire *wire = (Wire *)each;

    return PyObject_TypeCheck(each, wire_type) && wire->ready && wire->direct && wire->address;
}

/* Ask for the memory of a wire, which other objects may be as well. */
static void prefetch(PyObject *each)
{
    __builtin_prefetch(each);
    __builtin_prefetch((char *)each + offsetof(Wire, busy));
}

/*
 * Note the wires of *list* from *start* on that may be written to, and hold them.
 * None may be if the data does not *fit* into a call of OpenSSL.
 */
static void gather(Write *writes, PyObject *list, Py_ssize_t start, Py_ssize_t count, int fits)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *each = PyList_GetItem(list, start + i); /* borrowed; in range */

        if (i + WIRES_AHEAD < count)
            prefetch(PyList_GetItem(list, start + i + WIRES_AHEAD));
        writes[i] = (Write){NULL, NULL, -1};
        if (fits && is_clear(each)) {
            Py_INCREF(each);
            writes[i].wire = (Wire *)each;
            writes[i].wire->busy++;
            writes[i].ssl = writes[i].wire->address;
        }
    }
}

static void let_go(Write *writes, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (writes[i].wire) {
            writes[i].wire->busy--;
            Py_DECREF((PyObject *)writes[i].wire);
        }
}

/* Send as much of *data* as *ssl* takes now; return how much that is. */
static int send_to(void *ssl, const char *data, int size)
{
    int sent = 0;

    /* OpenSSL takes a record at a time. */
    while (sent < size && sent < MOST_SENT) {
        int result = openssl.write(ssl, data + sent, size - sent);

        if (result <= 0) {
            openssl.clear_error();
            break;
        }
        sent += result;
    }
    return sent;
}

/* Do the writes.  Runs without the GIL. */
static void send_all(Write *writes, Py_ssize_t count, const char *data, int size)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i + SSLS_AHEAD < count)
            __builtin_prefetch(writes[i + SSLS_AHEAD].ssl);
        if (writes[i].ssl)
            writes[i].sent = send_to(writes[i].ssl, data, size);
    }
}

/* List index and bytes sent of the writes that are not done. */
static PyObject *report(const Write *writes, Py_ssize_t start, Py_ssize_t count, Py_ssize_t size)
{
    PyObject *left = PyList_New(0);

    for (Py_ssize_t i = 0; left && i < count; i++) {
        if (writes[i].sent == size)
            continue;
        PyObject *pair = Py_BuildValue("ni", start + i, writes[i].sent);
        if (!pair || PyList_Append(left, pair) < 0)
            Py_CLEAR(left);
        Py_XDECREF(pair);
    }
    return left;
}

static PyObject *write_range(PyObject *list, PyObject *bytes, Py_ssize_t start, Py_ssize_t count)
{
    char *data;
    Py_ssize_t size;

    if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
        return NULL;
    if (!size || !count)
        return PyList_New(0);
    Write *writes = PyMem_Calloc((size_t)count, sizeof *writes);
    if (!writes)
        return PyErr_NoMemory();
    gather(writes, list, start, count, size <= INT_MAX);
    Py_INCREF(bytes);
    Py_BEGIN_ALLOW_THREADS
    send_all(writes, count, data, (int)size);
    Py_END_ALLOW_THREADS
    Py_DECREF(bytes);
    PyObject *left = report(writes, start, count, size);
    let_go(writes, count);
    PyMem_Free(writes);
    return left;
}

/* write_all(wires, data, start, stop) -> [(index, sent), ...] of those that are not done */
static PyObject *write_all(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    (void)module;
    if (given != 4 || !PyList_Check(args[0]) || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "write_all(list, bytes, start, stop)");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[2]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    Py_ssize_t stop = PyLong_AsSsize_t(args[3]);
    if (stop == -1 && PyErr_Occurred())
        return NULL;
    if (start < 0 || start > stop || stop > PyList_Size(args[0])) {
        PyErr_SetString(PyExc_ValueError, "start and stop are no range of the list");
        return NULL;
    }
    return write_range(args[0], args[1], start, stop - start);
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
    {"setup", setup, METH_VARARGS, NULL},
    {"take", (PyCFunction)(void (*)(void))take, METH_FASTCALL, NULL},
    {"turn", (PyCFunction)(void (*)(void))turn, METH_FASTCALL, NULL},
    {"write_all", (PyCFunction)(void (*)(void))write_all, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fast", .m_size = -1, .m_methods = functions,
};

PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);

    if (!module)
        return NULL;
    wire_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &wire_spec, NULL);
    if (!wire_type || PyModule_AddObjectRef(module, "Wire", (PyObject *)wire_type) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
