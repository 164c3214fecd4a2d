// The factored gradient as functions that Python calls.
#include "adjoint.h"

#include "adjoint/trials.h"

using namespace snnplast::adjoint;

static thread_local Scratch scratch;

extern "C" __attribute__((visibility("default"))) void adjoint_gradient(
    int64_t T, int64_t n, const History* psi, const double* trial, const double* decay, const double* gain,
    const double* beta, const double* rho, int64_t n_signals, const Signal* signals, int64_t n_sweeps,
    const Sweep* sweeps) {
    gradient({T, n, *psi, trial, decay, gain, beta, rho, n_signals, signals}, n_sweeps, sweeps, scratch);
}

// The same of sparse projections, with psi in blocks: begun, run back block by block, and given up.
extern "C" __attribute__((visibility("default"))) void* stretches_begin(
    int64_t T, int64_t n, const double* trial, const double* decay, const double* gain, const double* beta,
    const double* rho, int64_t n_signals, const Signal* signals, int64_t n_sweeps, const Sweep* sweeps) {
    const Problem problem{T, n, {nullptr, 0}, trial, decay, gain, beta, rho, n_signals, signals};
    return new InStretches(problem, n_sweeps, sweeps);
}

extern "C" __attribute__((visibility("default"))) void stretches_back(void* gradient, const History* psi, int64_t begin,
                                                                      int64_t end) {
    static_cast<InStretches*>(gradient)->back(*psi, begin, end);
}

extern "C" __attribute__((visibility("default"))) void stretches_end(void* gradient) {
    delete static_cast<InStretches*>(gradient);
}

extern "C" __attribute__((visibility("default"))) void chain_gradient(int64_t T, int64_t n, const History* psi,
                                                                      const double* trial, const Chain* chain,
                                                                      int64_t n_signals, const Signal* signals,
                                                                      int64_t n_sweeps, const Sweep* sweeps) {
    gradient({T, n, *psi, trial, nullptr, nullptr, nullptr, nullptr, n_signals, signals, chain}, n_sweeps, sweeps,
             scratch);
}

extern "C" __attribute__((visibility("default"))) int64_t swept_trial(void* data, int64_t trial) {
    return sweep_trial(*static_cast<SweptTrials*>(data), trial, scratch);
}
