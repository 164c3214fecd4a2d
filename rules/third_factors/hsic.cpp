// The HSIC signal of a sample, as a function that Python calls.
#include "hsic.h"

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
