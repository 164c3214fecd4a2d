// The HSIC signal of a sample, as a function that Python calls and as a stage of a trial.
#include "hsic.h"

#include <algorithm>

#include "stage.h"
#include "transforms.h"

using namespace snnplast::hsic;

// Whether there is a signal: the window is full. x (inputs,), y (classes,); z of the layers is in its place already.
extern "C" __attribute__((visibility("default"))) int64_t hsic_signals(const Window* window, const double* x,
                                                                       const double* y, int64_t n_layers,
                                                                       const Layer* layers) {
    const int64_t row = remember(*window, x, y);
    if (!ready(*window)) return 0;
    average(*window);
    for (int64_t k = 0; k < n_layers; ++k) gradient(*window, layers[k], row);
    return 1;
}

namespace {

struct Source {  // of input values
    const snnplast::Shown* shown;
    int64_t size;
};

struct Target {  // a layer
    Layer layer;
    double* remembered;  // z of the samples in the window, that of `layer`
    const double* z;     // of the present trial
    int64_t n_transforms;
    const snnplast::transforms::Transform* transforms;
};

struct Signals {
    Window window;
    int64_t n_sources, n_targets;
    const Source* sources;
    const snnplast::Shown* wanted;
    const Target* targets;
    double* x;  // room for (inputs,)
};

}  // namespace

extern "C" __attribute__((visibility("default"))) int64_t hsic_trial(void* data, int64_t trial) {
    const Signals& s = *static_cast<Signals*>(data);
    double* x = s.x;
    for (int64_t k = 0; k < s.n_sources; ++k)
        x = std::copy(s.sources[k].shown->values[trial], s.sources[k].shown->values[trial] + s.sources[k].size, x);
    const int64_t row = remember(s.window, s.x, s.wanted->values[trial]);
    if (!ready(s.window)) return snnplast::FAILED;
    average(s.window);
    for (int64_t k = 0; k < s.n_targets; ++k) {
        const Target& t = s.targets[k];
        std::copy(t.z, t.z + t.layer.size, t.remembered + row * t.layer.size);
        gradient(s.window, t.layer, row);
        for (int64_t i = 0; i < t.n_transforms; ++i) apply(t.transforms[i], t.layer.xi, t.z, t.layer.size);
    }
    return 0;
}
