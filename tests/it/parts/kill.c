/* Loaded in front of a program: counts its calls of fsync and fdatasync and kills it at a chosen one.
 *
 * SIGKILL does not take back what was written: bytes that reached the kernel stay in the file whether
 * they were synced or not. To die "before" a commit is therefore to die before its first byte is
 * written, so the writes are watched too: the first one to a regular file after the sync before the
 * chosen one is where the program ends. Shared-memory files (SQLite's "-shm") are not data.
 *
 * KILL_AT          number of the sync, from 1; 0 never kills
 * KILL_WHEN        "before" or "after"
 * KILL_COUNT_FILE  a file of four bytes that always holds the number of syncs begun
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned at;
static int before;
static atomic_uint unshared;
static atomic_uint *count = &unshared;

__attribute__((constructor)) static void begin(void) {
  const char *number = getenv("KILL_AT"), *when = getenv("KILL_WHEN"), *path = getenv("KILL_COUNT_FILE");
  at = number ? (unsigned)atoi(number) : 0;
  before = when && strcmp(when, "before") == 0;
  /* Mapped, not written: the number survives the kill and costs no call that would be counted. */
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd >= 0) {
    void *shared = mmap(NULL, sizeof(atomic_uint), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) count = shared;
    close(fd);
  }
  /* The plan is for this program, not for those it starts. */
  unsetenv("LD_PRELOAD");
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int holds_data(int fd) {
  struct stat about;
  if (fd <= 2 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return !(length >= 4 && memcmp(path + length - 4, "-shm", 4) == 0);
}

static void about_to_write(int fd) {
  if (at && before && atomic_load(count) == at - 1 && holds_data(fd)) die();
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define SYNC(name) \
  int name(int fd) { \
    REAL(name); \
    unsigned number = atomic_fetch_add(count, 1) + 1; \
    /* A sync without a write before it. */ \
    if (number == at && before) die(); \
    int result = real(fd); \
    if (number == at) die(); \
    return result; \
  }

SYNC(fsync)
SYNC(fdatasync)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  about_to_write(fd);
  return real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *data, int parts) {
  REAL(writev);
  about_to_write(fd);
  return real(fd, data, parts);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  REAL(pwrite);
  about_to_write(fd);
  return real(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  REAL(pwrite64);
  about_to_write(fd);
  return real(fd, data, size, offset);
}
