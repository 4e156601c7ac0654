/* The project's version, from the build. */
#ifndef RINGWAY_ADMIN_VERSION_H
#define RINGWAY_ADMIN_VERSION_H

#ifndef RINGWAY_VERSION
#define RINGWAY_VERSION "unknown"
#endif

#endif
