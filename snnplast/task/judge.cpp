// Objectives as functions that Python calls, or hands on to compiled code.
#include <algorithm>

#include "judge.h"

#define API extern "C" __attribute__((visibility("default")))

API double squared_error(const snnplast::task::Judged* judged) { return snnplast::task::squared_error(*judged); }

API double cross_entropy(const snnplast::task::Judged* judged) { return snnplast::task::cross_entropy(*judged); }
