// Where (nearly) all pairs are connected: blocks of target neurons stay in cache for all steps.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "columns.h"
#include "grouped.h"
#include "reversed.h"
#include "step_back.h"

namespace snnplast::adjoint {

// The sum of source i into its row of `out`, which lacks column i where the sweep is hollow.
template <int Q>
void store(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, const Columns<Q>& sum) {
    double* out = sweep.out + i * (n - sweep.hollow) + first;
    const int64_t missing = sweep.hollow ? i - first : n;
    if (missing < 0) --out;
    if (missing < 0 || missing >= width) return sum.store(out, width);
    double line[Columns<Q>::WIDTH];
    sum.store(line);
    std::copy_n(line, missing, out);
    std::copy_n(line + missing + 1, width - missing - 1, out + missing);
}

// What a spike of source i adds to a block later than others, as offsets into rows, from the delays of its synapses.
template <int Q>
void offsets_of(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, int64_t* offsets) {
    for (int64_t b = 0; b < Columns<Q>::WIDTH; ++b) {
        const int64_t j = first + b;
        const bool exists = b < width && !(sweep.hollow && j == i);
        const int64_t k = sweep.hollow ? i * (n - 1) + j - (j > i) : i * n + j;
        offsets[b] = (exists ? sweep.delays[k] * Columns<Q>::WIDTH : 0) + b;
    }
}

// Sums of a block, source by source, in the order of its spikes.
template <int Q>
void sum_spikes(const Sweep& sweep, const Grouped& spikes, const double* rows, const double* gain, int64_t first,
                int64_t width, int64_t n) {
    using Block = Columns<Q>;
    const Block scale = Block::at(gain + first, n - first);
    for (int64_t i = 0; i < sweep.sources; ++i) {
        const int32_t *begin = spikes.row.data() + spikes.start[i], *end = spikes.row.data() + spikes.start[i + 1];
        Block sum = Block::all(0.0);
        if (sweep.delays) {
            int64_t offsets[Block::WIDTH];
            double line[Block::WIDTH] = {};
            offsets_of<Q>(sweep, i, first, width, n, offsets);
            for (const int32_t* row = begin; row < end; ++row)
                for (int64_t b = 0; b < Block::WIDTH; ++b) line[b] += rows[*row * Block::WIDTH + offsets[b]];
            sum = Block::at(line);
        } else
            for (const int32_t* row = begin; row < end; ++row) sum = sum + Block::at(rows + *row * Block::WIDTH);
        store<Q>(sweep, i, first, width, n, sum * scale);
    }
}

// A^t of a block into row t of `rows`; of a chain, a matrix of `length` values for each variable.
template <int Q>
void run_back(const Modulated& p, int64_t first, double* rows, int64_t length, Scratch& scratch) {
    const BlockModulation<Q> modulation(p, first, scratch.weights);
    if (p.chain == nullptr) {
        constexpr auto forms = std::array{reversed<Q, false, false>, reversed<Q, false, true>, reversed<Q, true, false>,
                                          reversed<Q, true, true>};
        return forms[2 * bool(p.psi) + (p.beta != nullptr)](p, first, modulation, rows);
    }
    constexpr int64_t WIDTH = Columns<Q>::WIDTH;
    ChainBlock<Q> block(p, first);
    for (int64_t t = p.T - 1; t >= 0; --t)
        block.back(t, modulation.at(t, (p.T - t) * p.n - first), rows + t * WIDTH, length, WIDTH);
}

template <int Q>
void in_block(const Modulated& p, const std::vector<const Sweep*>& sweeps, int64_t longest, int64_t first,
              Scratch& scratch) {
    constexpr int64_t WIDTH = Columns<Q>::WIDTH;
    const int64_t width = std::min(WIDTH, p.n - first), length = (p.T + 1 + longest) * WIDTH;
    double* rows = scratch.adjoint(variables(p) * length);
    for (int64_t v = 0; v < variables(p); ++v) std::fill(rows + v * length + p.T * WIDTH, rows + (v + 1) * length, 0.0);
    run_back<Q>(p, first, rows, length, scratch);
    for (size_t s = 0; s < sweeps.size(); ++s)
        sum_spikes<Q>(*sweeps[s], scratch.groups[s], rows + sweeps[s]->variable * length,
                      sweeps[s]->gain ? sweeps[s]->gain : p.gain, first, width, p.n);
}

inline void in_blocks(const Modulated& p, const std::vector<const Sweep*>& sweeps, Scratch& scratch) {
    int64_t longest = 0;
    scratch.groups.resize(std::max(scratch.groups.size(), sweeps.size()));
    for (size_t s = 0; s < sweeps.size(); ++s) {
        group(*sweeps[s], p.T, scratch.groups[s]);
        longest = std::max(longest, sweeps[s]->longest);
    }
    for (int64_t first = 0; first < p.n;) {
        const int64_t left = p.n - first;
        if (left > 2 * LANES)
            in_block<4>(p, sweeps, longest, first, scratch), first += 4 * LANES;
        else if (left > LANES)
            in_block<2>(p, sweeps, longest, first, scratch), first += 2 * LANES;
        else
            in_block<1>(p, sweeps, longest, first, scratch), first += LANES;
    }
}

}  // namespace snnplast::adjoint
