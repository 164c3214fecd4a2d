// The signal of `firing-rate` as a stage of a trial: coefficient (counts / steps - target) / steps.
#include <algorithm>

#include "stage.h"

struct Pull {
    const snnplast::Fired* fired;
    double* pull;  // (n,)
    int64_t n;
    double coefficient, steps, target;
};

extern "C" __attribute__((visibility("default"))) int64_t firing_rate(void* data, int64_t) {
    const Pull& p = *static_cast<Pull*>(data);
    std::fill(p.pull, p.pull + p.n, 0.0);
    for (int64_t k = 0; k < p.fired->count; ++k) p.pull[p.fired->indices[k]] += 1.0;
    for (int64_t j = 0; j < p.n; ++j) p.pull[j] = p.coefficient * (p.pull[j] / p.steps - p.target) / p.steps;
    return 0;
}
