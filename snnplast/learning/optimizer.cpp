// Optimisers as functions that Python calls.
#include "optimizer.h"

#define API extern "C" __attribute__((visibility("default")))

API void optimizer_update(const snnplast::optimizer::Optimizer* optimizer,
                          const snnplast::optimizer::Parameter* parameter, double progress) {
    snnplast::optimizer::update(*optimizer, *parameter, progress);
}
