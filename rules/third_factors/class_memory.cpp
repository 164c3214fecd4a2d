// The signal of class memories, as a function that Python calls and as a stage of a trial.
#include "class_memory.h"

#include "stage.h"
#include "transforms.h"

using namespace snnplast::class_memory;

// Whether there is a signal. wanted (classes,), one-hot; error (rows, classes): of the readout in its window.
extern "C" __attribute__((visibility("default"))) int64_t class_memory_signals(const Source* source,
                                                                               const double* wanted,
                                                                               const double* error, int64_t rows,
                                                                               int64_t n_layers, const Layer* layers) {
    const int64_t label = label_of(*source, wanted), there = ready(*source, label);
    for (int64_t k = 0; k < n_layers; ++k) hear(*source, layers[k], label, error, rows);
    ++source->seen[label];
    return there;
}

namespace {

struct Target {
    Layer layer;
    int64_t n_transforms;
    const snnplast::transforms::Transform* transforms;
};

struct Signals {
    Source source;
    const snnplast::Shown* wanted;
    const double* error;
    int64_t rows, n_targets;
    const Target* targets;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) int64_t class_memory_trial(void* data, int64_t trial) {
    const Signals& s = *static_cast<Signals*>(data);
    const int64_t label = label_of(s.source, s.wanted->values[trial]);
    if (!ready(s.source, label)) return snnplast::FAILED;
    for (int64_t k = 0; k < s.n_targets; ++k) {
        const Target& t = s.targets[k];
        hear(s.source, t.layer, label, s.error, s.rows);
        for (int64_t i = 0; i < t.n_transforms; ++i) apply(t.transforms[i], t.layer.xi, t.layer.z, t.layer.memory.size);
    }
    ++s.source.seen[label];
    return 0;
}
