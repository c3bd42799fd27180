/*
 * take: whole, small text frames become bytes without their masks, all others stay as they are.
 *
 * Nearly all that clients of a chat send is a masked text frame that is the whole of its message,
 * or an empty pong.  Such are taken from the beginning of what has arrived, as long as they are
 * whole.  From the first other one on the bytes are left to a parser that knows all of RFC 6455,
 * which finds what is wrong with them, if anything is: no error is explained here.
 */

#include "_fast.h"

#include <stdint.h>
#include <string.h>

enum {
    /* The first byte of a text message's only frame, and of a pong. */
    TEXT = 0x81,
    PONG = 0x8A,
    /* Bytes of a frame's head with the shortest and with the longer length, and its mask. */
    SHORT_HEAD = 6,
    LONG_HEAD = 8,
};

/* Copy *size* bytes without their mask (RFC 6455, section 5.3), which stands before them. */
static void unmask(char *to, const unsigned char *from, Py_ssize_t size)
{
    const unsigned char *mask = from - 4;
    uint64_t wide, eight;
    Py_ssize_t i = 0;

    memcpy(&wide, mask, 4);
    memcpy((char *)&wide + 4, mask, 4);
    for (; i + 8 <= size; i += 8) {
        memcpy(&eight, from + i, 8);
        eight ^= wide;
        memcpy(to + i, &eight, 8);
    }
    for (; i < size; i++)
        to[i] = (char)(from[i] ^ mask[i & 3]);
}

static int is_ascii(const char *text, Py_ssize_t size)
{
    uint64_t eight;
    Py_ssize_t i = 0;

    for (; i + 8 <= size; i += 8) {
        memcpy(&eight, text + i, 8);
        if (eight & UINT64_C(0x8080808080808080))
            return 0;
    }
    for (; i < size; i++)
        if (text[i] & 0x80)
            return 0;
    return 1;
}

/* Return 1 if *text* is UTF-8, 0 if not, -1 with an exception. */
static int is_utf8(const char *text, Py_ssize_t size)
{
    if (is_ascii(text, size))
        return 1;
    PyObject *decoded = PyUnicode_DecodeUTF8(text, size, "strict");
    if (!decoded) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(decoded);
    return 1;
}

/* Return the bytes of a text; NULL without an exception if they are not UTF-8. */
static PyObject *text_of(const unsigned char *masked, Py_ssize_t size)
{
    PyObject *text = PyBytes_FromStringAndSize(NULL, size);

    if (!text)
        return NULL;
    unmask(PyBytes_AsString(text), masked, size);
    if (is_utf8(PyBytes_AsString(text), size) != 1)
        Py_CLEAR(text);
    return text;
}

/* Return the bytes of a frame's head, and of its payload; 0 if it is not of a usual kind. */
static Py_ssize_t head_of(const unsigned char *data, Py_ssize_t left, Py_ssize_t *size)
{
    if (left < SHORT_HEAD)
        return 0;
    *size = data[1] - 0x80;
    if (data[0] == PONG)
        return *size == 0 ? SHORT_HEAD : 0;
    if (data[0] != TEXT || *size < 0)
        return 0;
    if (*size < 126)
        return SHORT_HEAD;
    if (*size > 126 || left < LONG_HEAD)
        return 0;
    *size = data[2] << 8 | data[3];
    return *size < 126 ? 0 : LONG_HEAD;
}

/* Append the payloads of *data* to *list*; return the bytes they took, -1 with an exception. */
Py_ssize_t split(PyObject *list, const char *data, Py_ssize_t size, long most, Py_ssize_t longest)
{
    const unsigned char *bytes = (const unsigned char *)data;
    Py_ssize_t at = 0;

    while (at < size && most-- > 0) {
        Py_ssize_t payload, head = head_of(bytes + at, size - at, &payload);

        if (!head || payload > longest || payload > size - at - head)
            break;
        PyObject *each = Py_None;
        if (bytes[at] == TEXT)
            each = text_of(bytes + at + head, payload);
        else
            Py_INCREF(each);
        if (!each) {
            if (PyErr_Occurred())
                return -1;
            break;
        }
        int failed = PyList_Append(list, each);
        Py_DECREF(each);
        if (failed)
            return -1;
        at += head + payload;
    }
    return at;
}

/* take(data, most, longest) -> (frames, rest) */
PyObject *take(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    char *data;
    Py_ssize_t size;

    (void)module;
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "take(bytes, most, longest)");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(args[0], &data, &size) < 0)
        return NULL;
    long most = PyLong_AsLong(args[1]), longest = PyLong_AsLong(args[2]);
    if (PyErr_Occurred())
        return NULL;
    PyObject *frames = PyList_New(0), *rest = NULL, *both = NULL;
    Py_ssize_t used = 0;
    if (frames && longest > 0)
        used = split(frames, data, size, most, longest);
    if (frames && used >= 0)
        rest = used ? PyBytes_FromStringAndSize(data + used, size - used) : Py_NewRef(args[0]);
    if (rest)
        both = PyTuple_Pack(2, frames, rest);
    Py_XDECREF(frames);
    Py_XDECREF(rest);
    return both;
}
