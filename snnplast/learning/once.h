// Gradients of what acts, or is known, once per trial, as stages of one.
#pragma once

#include "stage.h"
#include "sums.h"

namespace snnplast::once {

struct Projection {
    const int32_t *pre, *post;  // of each synapse
    const double* u;            // what the projection carries, of each source neuron
};

struct Readout {  // u_i error_k for each synapse, and the error itself for a bias
    int64_t n_projections;
    const Projection* projections;
    const double* error;
    double divisor;
    Sums sums;
};

inline void read_out(const Readout& r, int64_t trial) {
    for (int64_t k = 0; k < r.sums.count; ++k) {
        double* out = room(r.sums, k, trial);
        const int64_t size = r.sums.sizes[k];
        if (k < r.n_projections) {
            const Projection& p = r.projections[k];
            for (int64_t s = 0; s < size; ++s) out[s] = p.u[p.pre[s]] * r.error[p.post[s]];
        } else
            std::copy(r.error, r.error + size, out);
        for (int64_t s = 0; s < size && r.divisor != 1.0; ++s) out[s] /= r.divisor;
    }
    sum_up(r.sums, trial);
}

struct Homeostasis {  // rate (r_i - target), r_i the firing rate
    const Fired* fired;
    double rate, duration, target;
    Sums sums;
};

inline void pull(const Homeostasis& h, int64_t trial) {
    double* out = room(h.sums, 0, trial);
    const int64_t size = h.sums.sizes[0];
    std::fill(out, out + size, 0.0);
    for (int64_t k = 0; k < h.fired->count; ++k) out[h.fired->indices[k]] += 1.0;
    for (int64_t i = 0; i < size; ++i) out[i] = h.rate * (out[i] / h.duration - h.target);
    sum_up(h.sums, trial);
}

}  // namespace snnplast::once
