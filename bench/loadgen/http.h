/* The HTTP protocol of posters: requests that publish, and the responses to them. */
#ifndef HTTP_H
#define HTTP_H

#include "connection.h"

extern const struct protocol http_protocol;

#endif
