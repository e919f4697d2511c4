# What is installed, and the packages that are made of it:
#
#   cmake --preset release && cmake --build --preset release && cpack --preset deb    (or rpm)
#
# The same commit gives the same bytes of the .deb, wherever and whenever it is made, under the same
# umask: times are those of the commit, or what SOURCE_DATE_EPOCH says, and compilers name no directory
# of this machine.

set(package prometheus-corosync-exporter)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/package)
set(COROSYNC_EXPORTER_CONTACT "" CACHE STRING
  "Who answers for the packages: NAME <ADDRESS>; empty: the commit's author")

function(ask_git format result)
  execute_process(COMMAND git log -1 --format=${format}
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} ${answer} PARENT_SCOPE)
endfunction()

set(epoch $ENV{SOURCE_DATE_EPOCH})
if(NOT epoch)
  ask_git(%ct epoch)
endif()
if(epoch)
  set(ENV{SOURCE_DATE_EPOCH} ${epoch}) # string(TIMESTAMP) heeds it
endif()
string(TIMESTAMP DATE %Y-%m-%d UTC)
string(TIMESTAMP CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)

set(CPACK_PACKAGE_CONTACT ${COROSYNC_EXPORTER_CONTACT})
if(NOT CPACK_PACKAGE_CONTACT)
  ask_git("%an <%ae>" CPACK_PACKAGE_CONTACT)
endif()

# ---- What is made for it ------------------------------------------------------------------------

configure_file(${CMAKE_CURRENT_LIST_DIR}/corosync-exporter.8.in ${generated}/corosync-exporter.8.in @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${generated}/changelog @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/prepare.cmake.in ${generated}/prepare.cmake @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/config.cmake.in ${generated}/config.cmake @ONLY)

add_custom_command(
  OUTPUT ${generated}/corosync-exporter.8
  COMMAND corosync-exporter --help > ${generated}/help
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/manual ${generated}/corosync-exporter.8.in
    < ${generated}/help > ${generated}/corosync-exporter.8
  DEPENDS corosync-exporter ${CMAKE_CURRENT_LIST_DIR}/manual ${generated}/corosync-exporter.8.in
  VERBATIM)

# gzip -n: without the name and time of what it packs.
function(add_gzipped name from)
  add_custom_command(
    OUTPUT ${generated}/${name}.gz
    COMMAND gzip -9n < ${from} > ${generated}/${name}.gz
    DEPENDS ${from}
    VERBATIM)
endfunction()
add_gzipped(corosync-exporter.8 ${generated}/corosync-exporter.8)
add_gzipped(changelog ${generated}/changelog) # Debian's, by its name and form
add_gzipped(CHANGELOG.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md)
add_custom_target(package_files ALL DEPENDS
  ${generated}/corosync-exporter.8.gz ${generated}/changelog.gz ${generated}/CHANGELOG.md.gz)

# ---- Where it goes ------------------------------------------------------------------------------

set(data share/${package})
set(doc share/doc/${package})
install(TARGETS corosync-exporter DESTINATION bin)
install(FILES deploy/systemd/${package}.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/${package}.sysusers DESTINATION lib/sysusers.d RENAME ${package}.conf)
install(FILES deploy/systemd/${package}.default DESTINATION /etc/default RENAME ${package})
install(DIRECTORY DESTINATION /etc/corosync/uidgid.d)
install(PROGRAMS deploy/package/corosync-access DESTINATION ${data})
install(FILES deploy/status.schema.json DESTINATION ${data})
install(DIRECTORY deploy/prometheus/ DESTINATION ${data}/prometheus PATTERN README.md EXCLUDE)
install(FILES dashboards/corosync-cluster.json dashboards/corosync-fleet.json DESTINATION ${data}/dashboards)
install(FILES ${generated}/corosync-exporter.8.gz DESTINATION share/man/man8)
install(FILES deploy/package/copyright docs/install.md docs/metrics.md docs/runbook.md
  docs/coming-from-ha_cluster_exporter.md DESTINATION ${doc})
install(FILES deploy/package/web-config.yml DESTINATION ${doc}/examples)
install(FILES deploy/prometheus/README.md DESTINATION ${doc} RENAME prometheus.md)
install(FILES ${generated}/changelog.gz ${generated}/CHANGELOG.md.gz DESTINATION ${doc})

# ---- The packages -------------------------------------------------------------------------------

set(CPACK_PACKAGE_NAME ${package})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Prometheus exporter for Corosync's quorum")
set(CPACK_PACKAGE_DESCRIPTION
"Subscribes to the corosync of its node and serves metrics of quorum, members,
votes, links and the totem protocol, with a status page for a person. While
connected it misses no change of quorum or membership, however short, and a
scrape costs corosync nothing.
.
The service runs as a user of its own, which is let into corosync as it is
installed: what corosync grants is all or nothing.")
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # for what goes into /etc
set(CPACK_PRE_BUILD_SCRIPTS ${generated}/prepare.cmake)
set(CPACK_PROJECT_CONFIG_FILE ${generated}/config.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "procps" # /bin/kill, of the service's ExecReload=
  "systemd | systemd-standalone-sysusers | systemd-sysusers")
list(JOIN CPACK_DEBIAN_PACKAGE_DEPENDS ", " CPACK_DEBIAN_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS corosync)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS prometheus)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA postinst prerm postrm conffiles)
list(TRANSFORM CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA PREPEND ${CMAKE_CURRENT_LIST_DIR}/)

# To be built where it is to run: what it needs are that system's libraries.
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0 AND MIT AND Zlib AND BSD-3-Clause AND BSL-1.0")
set(CPACK_RPM_PACKAGE_GROUP Unspecified)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_PACKAGE_REQUIRES systemd)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/default/${package}")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /etc /etc/default /etc/corosync /usr/lib /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d
  /usr/share/doc /usr/share/man /usr/share/man/man8)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/rpm-post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/rpm-preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/rpm-postun)

include(CPack)
