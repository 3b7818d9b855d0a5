#include "core/io/datagram.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace fr {

int send_datagram(std::string_view address, std::string_view text) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const bool is_abstract = address.starts_with('@');
  if (!is_abstract && !address.starts_with('/')) return EAFNOSUPPORT;
  // A path ends with a NUL, an abstract name begins with one and ends where the length says.
  if (address.size() + (is_abstract ? 0 : 1) > sizeof to.sun_path) return ENAMETOOLONG;
  std::memcpy(to.sun_path, address.data(), address.size());
  if (is_abstract) to.sun_path[0] = '\0';
  const size_t length = offsetof(sockaddr_un, sun_path) + address.size() + (is_abstract ? 0 : 1);

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const timeval second{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  ssize_t sent;
  do {
    sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to),
                  static_cast<socklen_t>(length));
  } while (sent < 0 && errno == EINTR);
  const int error = sent < 0 ? errno : 0;
  close(fd);
  return error;
}

}  // namespace fr
