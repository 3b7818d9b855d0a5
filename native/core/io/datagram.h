// One datagram to a unix socket, which Node cannot send: how a service manager is told things.
#pragma once

#include <string_view>

namespace fr {

// `address`: a path, or `@NAME` for a socket of the abstract namespace. Waits at most a second for
// a receiver that does not read. Returns 0, or the errno of what failed.
int send_datagram(std::string_view address, std::string_view text);

}  // namespace fr
