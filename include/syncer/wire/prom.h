/* SPDX-License-Identifier: MIT */
/*
 * Writing Prometheus' text format 0.0.4 into a buffer
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). Failure shows in
 * buf->failed. Numbers are exact decimals, never floating point. Names are ours: must() refuses those that
 * the format does not know; label values are any bytes: what is no UTF-8 is written as U+FFFD. Pure. Any
 * process.
 *
 *     prom_family(out, "syncer_pods", PROM_GAUGE, "Pods by state.");
 *     prom_begin(&w, out, "syncer_pods", ""); prom_label(&w, "state", "ready", 5); prom_number(&w, 4);
 */
#ifndef SYNCER_WIRE_PROM_H
#define SYNCER_WIRE_PROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/buf.h>

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM, PROM_TYPES };

/* The two lines that stand before all samples of a family. */
void prom_family(struct buf *out, const char *family, enum prom_type type, const char *help);

/* One sample: begin, labels, and one of the values, which ends it. */
struct prom_writer {
    struct buf *out; /* borrowed */
    bool labelled;
};
/* `suffix`: "", or "_bucket", "_sum", "_count" of a histogram. */
void prom_begin(struct prom_writer *w, struct buf *out, const char *family, const char *suffix);
void prom_label(struct prom_writer *w, const char *name, const char *value, size_t len);
/* Labels as they stand between the braces, written by hand: "state=\"ready\""; "" = none. */
void prom_labels(struct prom_writer *w, const char *labels);
/* The label of a bucket: its bound in seconds. */
void prom_le(struct prom_writer *w, uint64_t us);
void prom_number(struct prom_writer *w, uint64_t n);
/* n / 10^digits, digits <= 9: prom_decimal(&w, 1500, 3) writes 1.5. */
void prom_decimal(struct prom_writer *w, uint64_t n, unsigned digits);

#endif
