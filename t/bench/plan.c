/*
 * plan: reads load's command line, makes the bytes of the request it repeats and knows the answer it must
 * get. Called by load.c only, on its one thread.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define SENDFILE_FROM 65536

/* The value of the field, whose name comes in lower case and with its colon, or NULL. */
static const char *find_field(const char *head, const char *name)
{
    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line + 1, '\n'))
        if (strncasecmp(line + 1, name, strlen(name)) == 0)
            return line + 1 + strlen(name) + strspn(line + 1 + strlen(name), " \t");
    return NULL;
}

const char *plan_check_answer(const plan_t *self, const char *head, const char *body, size_t length)
{
    static char text[80];
    const char *content_length = find_field(head, "content-length:");
    const char *encoding = find_field(head, "transfer-encoding:");

    if (strncmp(head, "HTTP/1.1 200", 12) != 0) {
        snprintf(text, sizeof(text), "not a 200: %.*s", (int)strcspn(head, "\r\n"), head);
        return text;
    }
    if (self->chunked)
        return encoding != NULL && strncasecmp(encoding, "chunked\r", 8) == 0 && content_length == NULL
                   ? NULL
                   : "not chunked";
    if (content_length == NULL || strtol(content_length, NULL, 10) != (long)self->expected_length)
        return "wrong or missing content-length";
    if (length > self->expected_length)
        return "bytes after the body";
    return memcmp(body, self->expected, length) == 0 ? NULL : "wrong body";
}

static int read_expected(plan_t *self)
{
    FILE *file = fopen(self->body_file, "rb");
    long length;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0) {
        perror(self->body_file);
        return -1;
    }
    rewind(file);
    self->expected_length = (size_t)length;
    self->expected = malloc(self->expected_length + 1);
    if (self->expected == NULL ||
        fread(self->expected, 1, self->expected_length, file) != self->expected_length) {
        perror(self->body_file);
        return -1;
    }
    fclose(file);
    return 0;
}

static int make_request(plan_t *self)
{
    char length[128] = "";
    int head_length;

    self->request = malloc(1024 + strlen(self->path) + self->post_bytes);
    if (self->request == NULL)
        return -1;
    if (self->post)
        snprintf(length, sizeof(length), "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n",
                 self->post_bytes);
    head_length = sprintf(self->request,
                          "%s %s HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n"
                          "X-Request-Id: 0123456789abcdef\r\n%s\r\n",
                          self->post ? "POST" : "GET", self->path, length);
    memset(self->request + head_length, 'x', self->post_bytes);
    self->request_length = (size_t)head_length + self->post_bytes;
    if (self->request_length < SENDFILE_FROM)
        return 0;
    self->request_file = memfd_create("request", 0);
    return write(self->request_file, self->request, self->request_length) == (ssize_t)self->request_length
               ? 0
               : -1;
}

static int parse_options(plan_t *self, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "p:f:u:c:d:n:b:kCr:I")) != -1) {
        /* clang-format off */
        switch (option) {
        case 'p': self->port = (uint16_t)atoi(optarg); break;
        case 'f': self->body_file = optarg; break;
        case 'u': self->path = optarg; break;
        case 'c': self->connection_count = atoi(optarg); break;
        case 'd': self->seconds = atof(optarg); break;
        case 'n': self->max_requests = strtoull(optarg, NULL, 10); break;
        case 'b': self->post_bytes = strtoul(optarg, NULL, 10); self->post = true; break;
        case 'k': self->chunked = true; break;
        case 'C': self->close_each = true; break;
        case 'r': self->rate = atof(optarg); break;
        case 'I': self->hold = true; break;
        default: return -1;
        }
        /* clang-format on */
    }
    return self->port != 0 && self->body_file != NULL && self->connection_count > 0 ? 0 : -1;
}

int plan_init(plan_t *self, int argc, char **argv)
{
    *self = (plan_t){.path = "/json", .connection_count = 64, .seconds = 5, .request_file = -1};
    if (parse_options(self, argc, argv) != 0) {
        fprintf(stderr, "usage: see the head of load.c\n");
        return -1;
    }
    return read_expected(self) != 0 || make_request(self) != 0 ? -1 : 0;
}
