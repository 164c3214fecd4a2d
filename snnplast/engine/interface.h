// Included before Brian2's generated sources: what they are to use instead of files, exit and assert.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace snnplast {

// Arrays handed over by Python, by name: Brian2's initialiser believes it reads them from files.
struct StaticArray {
    const char* name;
    const void* data;
    int64_t bytes;
};
static const StaticArray* static_arrays = nullptr;
static int n_static_arrays = 0;

// One call of Synapses.connect with explicit indices.
struct Connection {
    const int32_t* sources;
    const int32_t* targets;
    int64_t count;
};
static const Connection* connections = nullptr;

// Where Brian2's random numbers begin; negative: anywhere.
static int64_t first_seed = -1;

// Stands in for std::ifstream in the generated sources.
class ArrayStream : public std::ifstream {
    const StaticArray* array = nullptr;

public:
    using std::ifstream::open;

    void open(const char* path, std::ios_base::openmode) {
        const char* slash = std::strrchr(path, '/');
        const char* name = slash ? slash + 1 : path;
        for (int i = 0; i < n_static_arrays; i++)
            if (std::strcmp(static_arrays[i].name, name) == 0) {
                array = &static_arrays[i];
                return;
            }
        throw std::runtime_error(std::string("no static array ") + name);
    }

    bool is_open() const { return array != nullptr; }

    ArrayStream& read(char* to, std::streamsize bytes) {
        if (!array || bytes != array->bytes)
            throw std::runtime_error("a static array has the wrong size");
        std::memcpy(to, array->data, static_cast<size_t>(bytes));
        return *this;
    }
};

[[noreturn]] inline void leave(int status) {
    throw std::runtime_error("the generated code called exit(" + std::to_string(status) + ")");
}

inline void check(bool holds, const char* what) {
    if (!holds)
        throw std::logic_error(std::string("assertion failed: ") + what);
}

template <class Vector, class Count>
void connect(int which, Vector& pre, Vector& post, Vector& outgoing, Vector& incoming, int n_pre, int n_post,
             Count* count) {
    const Connection& c = connections[which];
    const size_t before = pre.size(), after = before + static_cast<size_t>(c.count);
    pre.resize(after);
    post.resize(after);
    outgoing.resize(n_pre);
    incoming.resize(n_post);
    for (size_t k = before; k < after; k++) {
        pre[k] = c.sources[k - before];
        post[k] = c.targets[k - before];
        outgoing[pre[k]]++;
        incoming[post[k]]++;
    }
    count[0] = static_cast<Count>(after);
}

template <class Vector>
void* data_of(Vector& vector) {
    return vector.size() ? static_cast<void*>(&vector[0]) : nullptr;
}

// x where `on`, else exactly 0: what a branch would give, in vector code.
template <class Real>
inline Real masked(Real x, bool on) {
    using Bits = std::conditional_t<sizeof(Real) == sizeof(int64_t), int64_t, int32_t>;
    Bits bits;
    std::memcpy(&bits, &x, sizeof x);
    bits &= -static_cast<Bits>(on);
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// Brian2's clip for every value and any bounds, without an early return: vector code.
template <class T>
inline T clip(T value, double low, double high) {
    const T upper = value > high ? static_cast<T>(high) : value;
    return value < low ? static_cast<T>(low) : upper;
}

// exp(x), found anew only where x is not what it was: in the code before a loop it is the same step by step.
template <int place, class X>
inline auto kept_exp(X x) -> decltype(exp(x)) {
    static bool known = false;
    static X last;
    static decltype(exp(x)) found;
    if (!known || !(x == last)) {
        last = x;
        found = exp(x);
        known = true;
    }
    return found;
}

// 64 marks, bytes that are 0 or 1, as bits of a word; eight at a time are gathered in the topmost byte of a product.
inline uint64_t as_bits(const char* marks) {
    uint64_t bits = 0;
    for (int k = 0; k < 64; k += 8) {
        uint64_t eight;
        std::memcpy(&eight, marks + k, sizeof eight);
        bits |= eight * 0x0102040810204080u >> 56 << k;
    }
    return bits;
}

// Rows of one of Brian2's two-dimensional arrays, one after the other.
template <class Matrix>
void copy_rows(Matrix& matrix, char* to) {
    for (int row = 0; row < matrix.n && matrix.m; row++) {
        const size_t bytes = static_cast<size_t>(matrix.m) * sizeof(matrix(row)[0]);
        std::memcpy(to, data_of(matrix(row)), bytes);
        to += bytes;
    }
}

}  // namespace snnplast

void snnplast_connect(int which);
void snnplast_seed();
