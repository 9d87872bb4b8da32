"""The skin: turns a description into doit's tasks.  The only folder that imports doit."""
