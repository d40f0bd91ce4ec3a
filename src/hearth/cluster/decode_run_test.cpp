#include "hearth/cluster/decode_run.h"
