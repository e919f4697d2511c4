# The target civetweb, from the source that deploy/civetweb has fetched: with TLS and IPv6, and without
# the code that reads files and runs programs, which is what its known vulnerabilities are in.
#
# Where there is no source it is the system's library. Debian's has no IPv6 (Debian 12), and no TLS that
# works: made for OpenSSL 1.1, it says that it has TLS, and crashes at the first client.
#
# Either way CIVETWEB_HOOKS has the definitions that web/hooks.cpp is compiled with.

set(source ${COROSYNC_EXPORTER_CIVETWEB_SOURCE})
if(NOT EXISTS ${source}/src/civetweb.c)
  if(NOT source STREQUAL "${PROJECT_SOURCE_DIR}/build/civetweb")
    message(FATAL_ERROR "COROSYNC_EXPORTER_CIVETWEB_SOURCE: there is no civetweb in ${source}")
  endif()
  find_package(civetweb REQUIRED CONFIG)
  add_library(civetweb ALIAS civetweb::civetweb)
  set(COROSYNC_EXPORTER_HAS_TLS 0)
  foreach(function listen accept close) # ours stand before the system's own, for all that is linked
    list(APPEND CIVETWEB_HOOKS corosync_exporter_${function}=${function})
  endforeach()
  message(STATUS "civetweb: the system's library, without TLS; deploy/civetweb fetches one to build")
  return()
endif()

enable_language(C)

add_library(civetweb STATIC ${source}/src/civetweb.c)
target_include_directories(civetweb SYSTEM PUBLIC ${source}/include)
target_compile_definitions(civetweb PRIVATE
  OPENSSL_API_3_0 NO_SSL_DL USE_IPV6
  NO_FILES NO_CGI NO_CACHING
  USE_STACK_SIZE=262144) # Debian has 100 KiB; TLS handshakes come on top of what handlers need
foreach(function listen accept close) # it calls web/hooks.cpp in their place
  target_compile_definitions(civetweb PRIVATE ${function}=corosync_exporter_${function})
endforeach()
target_compile_options(civetweb PRIVATE -w $<$<CONFIG:Debug>:-O1>)
set_target_properties(civetweb PROPERTIES C_VISIBILITY_PRESET hidden)
target_link_libraries(civetweb PRIVATE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
# Its stop flag is a plain volatile, which ThreadSanitizer rightly reports, each time a server ends. It
# still sees what civetweb's threads do in our code.
if(NOT COROSYNC_EXPORTER_SANITIZE MATCHES thread)
  target_link_libraries(civetweb PRIVATE instrumentation)
endif()
set(COROSYNC_EXPORTER_HAS_TLS 1)
message(STATUS "civetweb: built from ${source}, with TLS and IPv6")
