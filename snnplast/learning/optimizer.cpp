// Optimisers as functions that Python calls, and as a stage of trials that each change parameters.
#include "optimizer.h"

#include "stage.h"

#define API extern "C" __attribute__((visibility("default")))

using namespace snnplast::optimizer;

API void optimizer_update(const Optimizer* optimizer, const Parameter* parameter, double progress) {
    update(*optimizer, *parameter, progress);
}

struct Updated {
    int64_t count;
    const Optimizer* optimizers;
    const Parameter* parameters;
    const double* losses;       // of the trials of the call
    int64_t before, iterations;  // updates before the first trial, and of the whole run
};

// Fails where a gradient, or the loss, is not finite.
API int64_t update_after_trial(void* data, int64_t trial) {
    const Updated& u = *static_cast<Updated*>(data);
    for (int64_t k = 0; k < u.count; ++k)
        if (!finite(u.parameters[k].gradient, u.parameters[k].size)) return snnplast::FAILED;
    const double progress = static_cast<double>(u.before + trial) / static_cast<double>(u.iterations);
    for (int64_t k = 0; k < u.count; ++k) update(u.optimizers[k], u.parameters[k], progress);
    return std::isfinite(u.losses[trial]) ? 0 : snnplast::FAILED;
}
