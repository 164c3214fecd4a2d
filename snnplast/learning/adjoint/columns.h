// Neighbouring columns of a row, in vector registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "problem.h"

namespace snnplast::adjoint {

#if defined(__AVX512F__)
constexpr int LANES = 8;
#elif defined(__AVX__)
constexpr int LANES = 4;
#else
constexpr int LANES = 2;
#endif
constexpr int MOST = 4;  // vectors of a block

#define SNNPLAST_INLINE inline __attribute__((always_inline))
#define SNNPLAST_EACH _Pragma("GCC unroll 4") for (int q = 0; q < Q; ++q)

// Operators act on each column alone: a neuron's bits depend neither on LANES nor on Q.
template <int Q>
struct Columns {
    static constexpr int64_t WIDTH = Q * LANES;
    typedef double Lanes __attribute__((vector_size(LANES * sizeof(double))));
    typedef float Singles __attribute__((vector_size(LANES * sizeof(float))));
    Lanes of[Q];

    SNNPLAST_INLINE static Columns all(double value) {
        Columns result;
        SNNPLAST_EACH result.of[q] = Lanes{} + value;
        return result;
    }

    SNNPLAST_INLINE static Columns at(const double* from) {
        Columns result;
        SNNPLAST_EACH std::memcpy(&result.of[q], from + q * LANES, sizeof(Lanes));
        return result;
    }

    SNNPLAST_INLINE static Columns at(const float* from) {
        Columns result;
        SNNPLAST_EACH {
            Singles singles;
            std::memcpy(&singles, from + q * LANES, sizeof(Singles));
            result.of[q] = __builtin_convertvector(singles, Lanes);
        }
        return result;
    }

    // Asks for what will be read.
    SNNPLAST_INLINE static void expect(const History& history, int64_t from) {
        SNNPLAST_EACH history.single ? __builtin_prefetch(history.singles() + from + q * LANES)
                                     : __builtin_prefetch(history.doubles() + from + q * LANES);
    }

    // Only `left` more values lie in the array; columns beyond it are 0.
    template <class Real>
    SNNPLAST_INLINE static Columns at(const Real* from, int64_t left) {
        return __builtin_expect(left >= WIDTH, 1) ? at(from) : padded(from, left);
    }

    // From value number `from` on.
    SNNPLAST_INLINE static Columns at(const History& history, int64_t from, int64_t left) {
        return history.single ? at(history.singles() + from, left) : at(history.doubles() + from, left);
    }

    SNNPLAST_INLINE void store(double* to) const { SNNPLAST_EACH std::memcpy(to + q * LANES, &of[q], sizeof(Lanes)); }

    SNNPLAST_INLINE void store(double* to, int64_t width) const {
        if (__builtin_expect(width == WIDTH, 1)) return store(to);
        double line[WIDTH];
        store(line);
        std::copy_n(line, width, to);
    }

    SNNPLAST_INLINE Columns operator+(const Columns& other) const {
        Columns result;
        SNNPLAST_EACH result.of[q] = of[q] + other.of[q];
        return result;
    }

    SNNPLAST_INLINE Columns operator-(const Columns& other) const {
        Columns result;
        SNNPLAST_EACH result.of[q] = of[q] - other.of[q];
        return result;
    }

    SNNPLAST_INLINE Columns operator*(const Columns& other) const {
        Columns result;
        SNNPLAST_EACH result.of[q] = of[q] * other.of[q];
        return result;
    }

private:
    template <class Real>
    __attribute__((noinline)) static Columns padded(const Real* from, int64_t left) {
        Real line[WIDTH] = {};
        std::copy_n(from, left, line);
        return at(line);
    }
};

#undef SNNPLAST_EACH

}  // namespace snnplast::adjoint
