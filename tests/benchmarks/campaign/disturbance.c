/* What the campaign preloads into the processes of a node: a disk that can be full, read-only or
 * without power, and a clock that can be set. `disturbance.py` compiles and steers it.
 *
 * DISTURBED_ROOT     folder whose files are watched
 * DISTURBED_CONTROL  file of 16 bytes, mapped: int32 errno of every write (0: none),
 *                    int32 not used, int64 offset of the clock in ns
 * DISTURBED_MEMORY   folder for what is on the disk for sure; absent: nothing is kept there
 *
 * Power loss. POSIX promises two things about a write: after fsync of a file its bytes are on the
 * disk, after fsync of a folder its names are. At every such call that succeeds, the file or the
 * list of names is copied into DISTURBED_MEMORY. A power loss is then: kill everybody, and put back
 * what was copied last. Files and folders are known by inode and time of birth, so that an inode
 * that is used again is not mistaken for the file that had it before.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  int32_t refusal;
  int32_t unused;
  int64_t clock_offset_ns;
};

static const struct control nothing;
static const volatile struct control *control = &nothing;
static char root[4096], memory[4096];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("DISTURBED_ROOT");
  if (path) snprintf(root, sizeof root, "%s", path);
  path = getenv("DISTURBED_MEMORY");
  if (path) snprintf(memory, sizeof memory, "%s", path);
  path = getenv("DISTURBED_CONTROL");
  int handle = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
  if (handle < 0) return;
  void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, handle, 0);
  if (mapped != MAP_FAILED) control = mapped;
  close(handle);
}

/* Whether a path lies below the folder that is watched. */
static int is_below(const char *path) {
  size_t length = strlen(root);
  return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int is_watched(int fd) {
  char path[4096];
  return path_of(fd, path, sizeof path) && is_below(path);
}

/* Sets errno and says yes where this write is refused. */
static int refuses_fd(int fd) {
  int refusal = control->refusal;
  if (!refusal || !is_watched(fd)) return 0;
  errno = refusal;
  return 1;
}

static int refuses_path(const char *path) {
  int refusal = control->refusal;
  if (!refusal || !is_below(path)) return 0;
  errno = refusal;
  return 1;
}

/* --- what is on the disk for sure ---------------------------------------------------------- */

/* Name of a file or folder in the memory: inode and time of birth. */
int disturbance_key(int folder, const char *name, char *key, size_t size) {
  struct statx about;
  int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
  if (statx(folder, name, flags, STATX_INO | STATX_BTIME, &about)) return -1;
  snprintf(key, size, "%llu-%lld-%u", (unsigned long long)about.stx_ino,
           (long long)about.stx_btime.tv_sec, about.stx_btime.tv_nsec);
  return 0;
}

static void copy_bytes(int from, int to) {
  char block[65536];
  off_t at = 0;
  ssize_t count;
  while ((count = pread(from, block, sizeof block, at)) > 0) {
    for (ssize_t done = 0, some; done < count; done += some) {
      some = REAL(pwrite)(to, block + done, count - done, at + done);
      if (some <= 0) return;
    }
    at += count;
  }
}

/* Another descriptor of an SQLite file must not be closed: that would end its POSIX locks. */
static void copy_file(int fd, int to) {
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY) {
    copy_bytes(fd, to);
    return;
  }
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int again = REAL(open)(link, O_RDONLY | O_CLOEXEC);
  if (again < 0) return;
  copy_bytes(again, to);
  close(again);
}

/* One line for each name: kind, key, name. */
static void copy_names(int fd, int to) {
  int again = REAL(openat)(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = again < 0 ? NULL : fdopendir(again);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    char key[128];
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (disturbance_key(again, entry->d_name, key, sizeof key)) continue;
    dprintf(to, "%c %s %s\n", entry->d_type == DT_DIR ? 'd' : 'f', key, entry->d_name);
  }
  closedir(folder);
}

/* Keep what this descriptor's file or folder is now. Whole or not at all: we may be killed. */
void disturbance_keep(int fd) {
  char key[128], path[4400], part[4400];
  struct stat about;
  if (!*memory || !is_watched(fd) || fstat(fd, &about)) return;
  if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) return;
  if (disturbance_key(fd, "", key, sizeof key)) return;
  snprintf(path, sizeof path, "%s/%s", memory, key);
  snprintf(part, sizeof part, "%s/%s.part", memory, key);
  int to = REAL(open)(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (to < 0) return;
  /* An older copy must not replace a newer one of another process. */
  flock(to, LOCK_EX);
  int fresh = REAL(open)(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  struct stat mine, named;
  if (fresh >= 0 && !fstat(to, &mine) && !fstat(fresh, &named) && mine.st_ino != named.st_ino) {
    /* Somebody renamed it meanwhile: take the one that has the name now. */
    close(to);
    close(fresh);
    disturbance_keep(fd);
    return;
  }
  if (fresh >= 0) close(fresh);
  if (!REAL(ftruncate)(to, 0)) {
    if (S_ISDIR(about.st_mode)) copy_names(fd, to);
    else copy_file(fd, to);
    REAL(rename)(part, path);
  }
  close(to);
}

int fsync(int fd) {
  int result = REAL(fsync)(fd), saved = errno;
  if (!result) disturbance_keep(fd);
  errno = saved;
  return result;
}

int fdatasync(int fd) {
  int result = REAL(fdatasync)(fd), saved = errno;
  if (!result) disturbance_keep(fd);
  errno = saved;
  return result;
}

/* --- a disk that takes nothing --------------------------------------------------------------- */

ssize_t write(int fd, const void *data, size_t size) {
  return refuses_fd(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return refuses_fd(fd) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  return refuses_fd(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  return refuses_fd(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int mkdir(const char *path, mode_t mode) {
  return refuses_path(path) ? -1 : REAL(mkdir)(path, mode);
}

int link(const char *from, const char *to) {
  return refuses_path(to) ? -1 : REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  return refuses_path(to) ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

/* A full disk still takes away; one that is read-only does not. */
int unlink(const char *path) {
  return control->refusal == EROFS && refuses_path(path) ? -1 : REAL(unlink)(path);
}

int unlinkat(int folder, const char *name, int flags) {
  if (control->refusal == EROFS && refuses_fd(folder)) return -1;
  return REAL(unlinkat)(folder, name, flags);
}

int rename(const char *from, const char *to) {
  return control->refusal == EROFS && refuses_path(to) ? -1 : REAL(rename)(from, to);
}

static int refuses_open(const char *path, int flags) {
  int is_new = (flags & O_CREAT) && access(path, F_OK);
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  if (!is_new && !(control->refusal == EROFS && writes)) return 0;
  return refuses_path(path);
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                           \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                         \
    if (control->refusal && refuses_open(path, flags)) return -1;         \
    return REAL(name)(path, flags, mode);                                 \
  }
OPEN(open)
OPEN(open64)

/* --- a clock that is set ---------------------------------------------------------------------- */

static void shift(struct timespec *now) {
  int64_t ns = now->tv_nsec + control->clock_offset_ns % 1000000000;
  now->tv_sec += control->clock_offset_ns / 1000000000;
  if (ns < 0) { ns += 1000000000; now->tv_sec--; }
  if (ns >= 1000000000) { ns -= 1000000000; now->tv_sec++; }
  now->tv_nsec = ns;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) real;
  if (!real) real = REAL(clock_gettime);
  int result = real(clock, now);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(now);
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  int result = clock_gettime(CLOCK_REALTIME, &exact);
  if (!result) { now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000; }
  return result;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}
