#pragma once

/// The Node-API, in C++. Everything in the bridge includes it from here.
#include <napi.h>
