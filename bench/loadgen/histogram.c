/* Reads quantiles: see histogram.h. */
#include "histogram.h"

#include <math.h>

/* The middle of a bucket: the inverse of histogram_add(). */
static double bucket_ns(int bucket)
{
    if (bucket < 64)
        return bucket;
    int exponent = bucket / 64 + 5;
    return ldexp(64 + bucket % 64 + 0.5, exponent - 6);
}

double histogram_quantile_ms(const struct histogram *histogram, double q)
{
    if (!histogram->count)
        return 0;
    uint64_t wanted = (uint64_t)ceil(q * (double)histogram->count);
    uint64_t counted = 0;
    if (wanted < 1)
        wanted = 1;
    for (int bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        counted += histogram->buckets[bucket];
        if (counted >= wanted) {
            double ns = bucket_ns(bucket);
            return fmin(ns, (double)histogram->largest_ns) / 1e6;
        }
    }
    return histogram_largest_ms(histogram);
}

double histogram_largest_ms(const struct histogram *histogram)
{
    return (double)histogram->largest_ns / 1e6;
}
