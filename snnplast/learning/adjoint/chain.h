// A neuron linearised along its trajectory, one step back in time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "columns.h"
#include "problem.h"

namespace snnplast::adjoint {

// An entry of a matrix or vector per neuron: constant where stride is 0, else one row of n values per step.
struct Entry {
    int64_t row, column;
    History values;
    int64_t stride;
};

struct Entries {
    const Entry* entries;
    int64_t count;
    const Entry* begin() const { return entries; }
    const Entry* end() const { return entries + count; }
};

struct Rows {
    const int64_t* rows;  // those that are no unit rows
    int64_t count;
    const int64_t* begin() const { return rows; }
    const int64_t* end() const { return rows + count; }
};

enum Point : int64_t { BEFORE_THRESHOLD, BEFORE_RESET, BEFORE_FLOW };

struct Chain {
    int64_t size;
    Entries flow, updates, reset, slope, kicks;  // slope, kicks: by row
    Rows updated, changed;                       // rows of updates and of reset
    History spiked;                              // (T, n), null: the reset changes nothing
    int64_t n_variables;
    const int64_t *states, *points;              // of each A
    const History* gates;                        // (T, n) each, null: open
    Entries by_slope, by_reset, by_updates, by_flow, initial;  // column: which parameter
    double* parameters;                          // (parameters, n)
};

// A block of neurons whose derivative `now` by their states goes from the last step to the first.
template <int Q>
class ChainBlock {
    using Block = Columns<Q>;
    const Problem& p;
    const Chain& chain;
    const int64_t first;
    std::vector<Block> states, constants;  // constants: of the entries that are, in the order in which a step asks
    Block *now, *next;
    const Block* constant;  // the next one

public:
    ChainBlock(const Problem& problem, int64_t first)
        : p(problem), chain(*problem.chain), first(first), states(2 * chain.size, Block::all(0.0)) {
        now = states.data();
        next = now + chain.size;
        for (const Entries* each : {&chain.kicks, &chain.by_slope, &chain.by_reset, &chain.reset, &chain.slope,
                                    &chain.by_updates, &chain.updates, &chain.by_flow, &chain.flow, &chain.initial})
            for (const Entry& e : *each)
                if (e.stride == 0) constants.push_back(Block::at(e.values, first, p.n - first));
    }
    ChainBlock(ChainBlock&&) = default;

    // One step back from t + 1: A^t of each variable v into `room` columns from rows + v * stride on.
    void back(int64_t t, const Block& modulation, double* rows, int64_t stride, int64_t room) {
        constant = constants.data();
        Block s = modulation;
        for (const Entry& e : chain.kicks) s = s + now[e.row] * at(e, t);
        s = s * in_step(p.psi, t);
        const Block spiked = chain.spiked ? in_step(chain.spiked, t) : Block::all(1.0);
        for (const Entry& e : chain.by_slope) gather(e, s * at(e, t));
        for (const Entry& e : chain.by_reset) gather(e, now[e.row] * at(e, t) * spiked);
        times<true>(chain.reset, chain.changed, spiked, t);
        arrive(BEFORE_RESET, t, rows, stride, room);
        for (const Entry& e : chain.slope) now[e.row] = now[e.row] + s * at(e, t);
        for (const Entry& e : chain.by_updates) gather(e, now[e.row] * at(e, t));
        times<false>(chain.updates, chain.updated, spiked, t);
        arrive(BEFORE_THRESHOLD, t, rows, stride, room);
        for (const Entry& e : chain.by_flow) gather(e, now[e.row] * at(e, t));
        for (int64_t x = 0; x < chain.size; ++x) next[x] = Block::all(0.0);
        for (const Entry& e : chain.flow) next[e.column] = next[e.column] + now[e.row] * at(e, t);
        std::swap(now, next);
        arrive(BEFORE_FLOW, t, rows, stride, room);
        if (t > 0) return;
        for (const Entry& e : chain.initial) gather(e, now[e.row] * at(e, t));
    }

private:
    SNNPLAST_INLINE Block in_step(const History& values, int64_t t) const {
        return Block::at(values, t * p.n + first, (p.T - t) * p.n - first);
    }

    SNNPLAST_INLINE Block at(const Entry& e, int64_t t) {
        return e.stride ? in_step(e.values, t) : *constant++;
    }

    // What a constant of the neuron gathers.
    void gather(const Entry& e, const Block& more) const {
        double* total = chain.parameters + e.column * p.n + first;
        (Block::at(total, p.n - first) + more).store(total, std::min(Block::WIDTH, p.n - first));
    }

    // A^t of the variables whose spikes arrive here.
    void arrive(int64_t point, int64_t t, double* rows, int64_t stride, int64_t room) const {
        for (int64_t v = 0; v < chain.n_variables; ++v) {
            if (chain.points[v] != point) continue;
            const Block a = now[chain.states[v]];
            (chain.gates[v] ? a * in_step(chain.gates[v], t) : a).store(rows + v * stride, room);
        }
    }

    // now times a matrix whose `rows` are given by entries: unit rows elsewhere and, with MASKED, where `mask` is 0.
    template <bool MASKED>
    void times(const Entries& entries, const Rows& rows, const Block& mask, int64_t t) {
        if (rows.count + entries.count == 0) return;
        std::copy(now, now + chain.size, next);
        for (int64_t row : rows) next[row] = MASKED ? next[row] - mask * now[row] : Block::all(0.0);
        for (const Entry& e : entries) {
            const Block more = now[e.row] * at(e, t);
            next[e.column] = next[e.column] + (MASKED ? mask * more : more);
        }
        std::swap(now, next);
    }
};

}  // namespace snnplast::adjoint
