// SPDX-License-Identifier: Apache-2.0
#include "exposition/page.h"

#include <prometheus/text_serializer.h>

namespace corosync_exporter {

std::string Page::text(const std::shared_ptr<const ClusterState>& state, SteadyTime now,
                       const Self& self, const Families& process) {
  const prometheus::TextSerializer serializer;
  return *lasting(state, known_at(*state, now)) +
         serializer.Serialize(momentary_families(*state, now, self)) +
         serializer.Serialize(process);
}

std::shared_ptr<const std::string> Page::lasting(const std::shared_ptr<const ClusterState>& state,
                                                 Known known) {
  const std::lock_guard lock{mutex_};
  // Rendered under the lock: others would render the same.
  if (rendered_.state != state || rendered_.known != known) {
    rendered_ = {.state = state,
                 .known = known,
                 .text = std::make_shared<const std::string>(
                     prometheus::TextSerializer{}.Serialize(lasting_families(*state, known)))};
  }
  return rendered_.text;
}

}  // namespace corosync_exporter
