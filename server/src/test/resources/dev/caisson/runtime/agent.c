// Test agent: dials the socket, writes "hello\n", then obeys one-line commands (sh -c) until EOF.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
int main(int argc,char**argv){
  if(argc>1 && !strcmp(argv[1],"--version")){puts("test");return 0;}
  const char*path="/.caisson/agent.sock";
  for(int i=1;i<argc-1;i++) if(!strcmp(argv[i],"--socket")) path=argv[i+1];
  int fd=socket(AF_UNIX,SOCK_STREAM|SOCK_CLOEXEC,0);
  struct sockaddr_un a={.sun_family=AF_UNIX}; strncpy(a.sun_path,path,sizeof a.sun_path-1);
  int ok=-1; for(int i=0;i<100&&ok<0;i++){ ok=connect(fd,(void*)&a,sizeof a); if(ok<0) usleep(10000);} 
  if(ok<0){perror(path);return 1;}
  if(write(fd,"hello\n",6)!=6) return 1;
  FILE*in=fdopen(dup(fd),"r"); char line[8192];
  while(fgets(line,sizeof line,in)){
    line[strcspn(line,"\n")]=0;
    pid_t p=fork();
    if(p==0){ dup2(fd,1);dup2(fd,2); 
      char*cmd=line; if(!strncmp(line,"user ",5)){cmd+=5; if(setgid(1000)||setuid(1000)) {perror("setuid");_exit(126);} }
      execl("/bin/sh","sh","-c",cmd,(char*)0); _exit(127);} 
    int st=0; if(p<0){dprintf(fd,"fork failed\n"); st=256;} else while(waitpid(p,&st,0)<0);
    usleep(1000); while(waitpid(-1,0,WNOHANG)>0);
    dprintf(fd,"=%d\n",WIFEXITED(st)?WEXITSTATUS(st):128+WTERMSIG(st));
  }
  return 0;
}
