#include "hearth/cluster/peer_state.h"
