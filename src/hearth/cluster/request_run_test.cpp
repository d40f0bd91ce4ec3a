#include "hearth/cluster/request_run.h"
