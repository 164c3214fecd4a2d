#include "once.h"

#define API extern "C" __attribute__((visibility("default")))

using namespace snnplast::once;

API int64_t read_out(void* data, int64_t trial) { return read_out(*static_cast<Readout*>(data), trial), 0; }

API int64_t pull(void* data, int64_t trial) { return pull(*static_cast<Homeostasis*>(data), trial), 0; }
